import type { MediaMap, Segment } from '../playlist/segment.ts';

/** A segment that has got its number. */
export interface KnownSegment {
  readonly number: number;
  readonly era: number;
  readonly discontinuity: boolean;
  readonly discontinuitySequence: number;
  /** As it was listed last. */
  readonly segment: Segment;
  /** Its program date-time, its own or carried on from segments before, ms since 1970. */
  readonly startMs: number | undefined;
}

/** What of an address stays the same when tokens and hosts change. */
export function pathOf({ uri, byteRange }: { uri: URL; byteRange: Segment['byteRange'] }): string {
  return `${uri.pathname}${byteRange === undefined ? '' : `@${byteRange.offset}`}`;
}

/** The file name of an address, without its folders. */
export function fileOf(segment: { uri: URL; byteRange: Segment['byteRange'] }): string {
  return pathOf(segment).split('/').at(-1) ?? '';
}

/** Whether two initialization sections are the same one, be it with other tokens or on another path. */
export function isSameMap(one: MediaMap | undefined, other: MediaMap | undefined): boolean {
  return one === other || (one !== undefined && other !== undefined && fileOf(one) === fileOf(other));
}

/** The program date-time of each segment, carried on where the playlist does not tell (RFC 8216, 4.3.2.6). */
export function startsOf(segments: readonly Segment[], first?: number): (number | undefined)[] {
  let nextMs = first;
  return segments.map(({ programDateTimeMs, durationMs }) => {
    const startMs = programDateTimeMs ?? nextMs;
    nextMs = startMs === undefined ? undefined : startMs + durationMs;
    return startMs;
  });
}
