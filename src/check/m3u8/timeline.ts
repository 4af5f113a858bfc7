import { integer } from './attribute-list.ts';
import type { MediaPlaylist, Segment } from './media-playlist.ts';

/** A place in a playlist: a whole segment, or a part of it. */
export interface Position {
  readonly msn: number;
  readonly part: number | undefined;
}

/** A segment's place in time, from its own tags and those before it. */
export interface TimedSegment {
  readonly segment: Segment;
  /** From the nearest `EXT-X-PROGRAM-DATE-TIME`, `undefined` if there is none. */
  readonly dateMs: number | undefined;
  /** `EXT-X-DISCONTINUITY-SEQUENCE` and the discontinuities up to here. */
  readonly discontinuityNumber: number;
}

/** Length of the list in seconds, with the parts after the last whole segment. */
export function lengthS(playlist: MediaPlaylist): number {
  return sum(playlist.segments) + sum(playlist.open.parts);
}

/** The whole segments with their dates and discontinuity numbers. */
export function timeline(playlist: MediaPlaylist): TimedSegment[] {
  const { segments } = playlist;
  const firstDated = segments.findIndex(({ statedDateMs }) => statedDateMs !== undefined);
  const stated = segments[firstDated]?.statedDateMs;
  let dateMs = stated === undefined ? undefined : stated - 1000 * sum(segments.slice(0, firstDated));
  let discontinuityNumber = playlist.discontinuitySequence ?? 0;
  return segments.map((segment) => {
    if (segment.discontinuity) discontinuityNumber += 1;
    dateMs = segment.statedDateMs ?? dateMs;
    const timed = { segment, dateMs, discontinuityNumber };
    if (dateMs !== undefined) dateMs += segment.durationS * 1000;
    return timed;
  });
}

/** The number of the last whole segment, one below the first if there is none. */
export function lastMsn({ open }: MediaPlaylist): number {
  return open.msn - 1;
}

/** The newest part or segment that the playlist lists. */
export function newestPosition({ segments, open }: MediaPlaylist): Position {
  if (open.parts.length > 0) return { msn: open.msn, part: open.parts.length - 1 };
  const parts = segments.at(-1)?.parts.length ?? 0;
  return { msn: open.msn - 1, part: parts === 0 ? undefined : parts - 1 };
}

/** What a client that has this playlist asks for next. */
export function nextPosition({ open, partTargetS }: MediaPlaylist): Position {
  return { msn: open.msn, part: partTargetS === undefined ? undefined : open.parts.length };
}

/** True if the playlist is an answer to a blocking reload for that position (section 6.2.5.2). */
export function reaches({ segments, open }: MediaPlaylist, { msn, part }: Position): boolean {
  if (msn > open.msn) return false;
  if (msn === open.msn) return part !== undefined && open.parts.length > part;
  const parts = segments.find((segment) => segment.msn === msn)?.parts.length ?? 0;
  const beyondItsParts = part !== undefined && parts > 0 && part >= parts;
  return !beyondItsParts || msn + 1 < open.msn || open.parts.length > 0;
}

/** Orders positions; a whole segment comes after its parts. */
export function comparePositions(a: Position, b: Position): number {
  return a.msn - b.msn || (a.part ?? Infinity) - (b.part ?? Infinity) || 0;
}

/** `msn 7 part 2`. */
export function describePosition({ msn, part }: Position): string {
  return part === undefined ? `msn ${msn}` : `msn ${msn} part ${part}`;
}

/** How many segments `EXT-X-SKIP` replaces. */
export function skippedSegments({ skip }: MediaPlaylist): number {
  return integer(skip?.get('SKIPPED-SEGMENTS')) ?? 0;
}

/** A delta update with the skipped segments put back from an older playlist; `undefined` if that lacks some. */
export function applyDelta(older: MediaPlaylist, delta: MediaPlaylist): MediaPlaylist | undefined {
  const from = delta.mediaSequence;
  const until = from + skippedSegments(delta);
  const restored = older.segments.filter(({ msn }) => msn >= from && msn < until);
  if (restored.length !== until - from) return undefined;
  const inherited = restored.at(-1)?.map;
  const [first, ...others] = restored;
  // A date may be stated only at a segment that has left the list since.
  const dateMs = timeline(older).find(({ segment }) => segment === first)?.dateMs;
  const dated = first === undefined ? [] : [{ ...first, statedDateMs: first.statedDateMs ?? dateMs }, ...others];
  const segments = delta.segments.map((segment) =>
    segment.map === undefined ? { ...segment, map: inherited } : segment,
  );
  const open = delta.open.map === undefined ? { ...delta.open, map: segments.at(-1)?.map ?? inherited } : delta.open;
  return { ...delta, skip: undefined, segments: [...dated, ...segments], open };
}

function sum(items: readonly { readonly durationS: number }[]): number {
  return items.reduce((total, { durationS }) => total + durationS, 0);
}
