import type { MediaPlaylist } from '../playlist/media-playlist.ts';
import type { Segment } from '../playlist/segment.ts';
import { fileOf, type KnownSegment, pathOf, startsOf } from './known-segment.ts';

/** Further ahead than this nobody has fallen behind: the numbers are others. */
const MAX_MISSED = 60;
/** How many of the newest segments are taken where nothing tells which ones are new. */
export const EDGE_SEGMENTS = 3;
const SAME_DATE_MS = 1;
const MIN_FOREIGN_MS = 10_000;

/** How a playlist that has just been loaded goes on from what is known. */
export type Alignment =
  /** The same timeline: number = upstream's sequence number + `shift`. */
  | { readonly kind: 'continues'; readonly shift: number }
  /** From a server that is behind the one before: to be ignored. */
  | { readonly kind: 'stale' }
  /** Another timeline, or a hole: new from this index on, which is behind the last segment if there is nothing new yet. */
  | { readonly kind: 'breaks'; readonly from: number; readonly reason: string };

/** What else decides. */
export interface AlignmentOptions {
  /** Whether it came from another address than what is known. */
  readonly isOtherAddress: boolean;
  /** Whether both are recordings. */
  readonly isRecorded: boolean;
  /** Whether nothing new came for so long that a playlist behind what is known is taken for a new beginning. */
  readonly hasStalled: boolean;
}

/** Compares a playlist with what is known of it: at least one segment, in order. It must list at least one, too. */
export function align(
  known: readonly KnownSegment[],
  playlist: MediaPlaylist,
  { isOtherAddress, isRecorded, hasStalled }: AlignmentOptions,
): Alignment {
  const { segments, mediaSequence } = playlist;
  const [firstKnown, lastKnown] = [known[0], known.at(-1)];
  if (firstKnown === undefined || lastKnown === undefined) throw new Error('nothing is known to align with');
  if (isOtherAddress) {
    if (isRecorded && isSameRecording(known, segments)) {
      return { kind: 'continues', shift: firstKnown.number - mediaSequence };
    }
    const shift = shiftByPaths(known, segments, { path: fileOf, areDatesNeeded: true });
    return shift !== undefined ? within(lastKnown, playlist, shift) : breaks(known, playlist, 'another address');
  }
  const usual = lastKnown.number - lastKnown.segment.sequence;
  const anchored = agrees(known, playlist, usual) ? undefined : renumbered(known, playlist);
  if (anchored === undefined && isForeign(known, playlist, usual)) {
    return breaks(known, playlist, 'other program date-times');
  }
  const shift = anchored ?? usual;
  const missed = mediaSequence + shift - lastKnown.number - 1;
  const behind = lastKnown.number - (mediaSequence + segments.length - 1 + shift);
  if (missed > MAX_MISSED) return breaks(known, playlist, 'other sequence numbers');
  if (missed > 0) return { kind: 'breaks', from: 0, reason: `segments were missed: ${missed}` };
  if (behind > 2 * Math.max(known.length, segments.length) || (behind > 0 && hasStalled)) {
    return breaks(known, playlist, 'sequence numbers that began anew');
  }
  return within(lastKnown, playlist, shift);
}

function within(lastKnown: KnownSegment, { mediaSequence, segments }: MediaPlaylist, shift: number): Alignment {
  const isStale = mediaSequence + segments.length - 1 + shift < lastKnown.number;
  return isStale ? { kind: 'stale' } : { kind: 'continues', shift };
}

/** Takes what ends after the last known segment, by program date-time, else the newest segments. */
function breaks(known: readonly KnownSegment[], playlist: MediaPlaylist, reason: string): Alignment {
  const { segments, targetDurationMs } = playlist;
  const edge = Math.max(0, segments.length - EDGE_SEGMENTS);
  const last = known.at(-1);
  const starts = startsOf(segments);
  const [firstStartMs, lastStartMs] = [starts.find((startMs) => startMs !== undefined), starts.at(-1)];
  if (last?.startMs === undefined || firstStartMs === undefined || lastStartMs === undefined) {
    return { kind: 'breaks', from: edge, reason };
  }
  const knownEndMs = last.startMs + last.segment.durationMs;
  const newestEndMs = lastStartMs + (segments.at(-1)?.durationMs ?? 0);
  const isFarBehind = knownEndMs - newestEndMs > Math.max(MIN_FOREIGN_MS, 3 * targetDurationMs);
  const isAhead = firstStartMs - knownEndMs > targetDurationMs;
  if (isFarBehind || isAhead) return { kind: 'breaks', from: edge, reason };
  const from = segments.findIndex(({ durationMs }, index) => {
    const startMs = starts[index];
    // What overlaps by less than half is rather new.
    return startMs !== undefined && startMs + durationMs / 2 > knownEndMs;
  });
  return { kind: 'breaks', from: from < 0 ? segments.length : from, reason };
}

function isSameRecording(known: readonly KnownSegment[], segments: readonly Segment[]): boolean {
  if (known.length !== segments.length) return false;
  return known.every(({ segment }, index) => {
    return Math.abs(segment.durationMs - (segments[index]?.durationMs ?? 0)) <= segment.durationMs / 100;
  });
}

/** Whether the segments that both list are the same ones, by a path that one of them has. */
function agrees(known: readonly KnownSegment[], { segments, mediaSequence }: MediaPlaylist, shift: number): boolean {
  const number = Math.max(known[0]?.number ?? 0, mediaSequence + shift);
  const [one, other] = [known[number - (known[0]?.number ?? 0)], segments[number - shift - mediaSequence]];
  return one !== undefined && other !== undefined && pathOf(one.segment) === pathOf(other);
}

/** Whether the same numbers have other program date-times; where the paths are the same they may differ a lot. */
function isForeign(known: readonly KnownSegment[], playlist: MediaPlaylist, shift: number): boolean {
  const { segments, mediaSequence, targetDurationMs } = playlist;
  const starts = startsOf(segments);
  return known.some(({ number, startMs, segment }) => {
    const [other, otherMs] = [segments[number - shift - mediaSequence], starts[number - shift - mediaSequence]];
    if (startMs === undefined || other === undefined || otherMs === undefined) return false;
    const isSamePath = pathOf(segment) === pathOf(other);
    const limitMs = isSamePath ? Math.max(MIN_FOREIGN_MS, 3 * targetDurationMs) : targetDurationMs / 2;
    return Math.abs(otherMs - startMs) > limitMs;
  });
}

/** Where the same paths have got other numbers. Names that come round again and again are not taken for that. */
function renumbered(known: readonly KnownSegment[], { segments, mediaSequence }: MediaPlaylist): number | undefined {
  const shift = shiftByPaths(known, segments, { path: pathOf, areDatesNeeded: false });
  const last = known.at(-1)?.number ?? 0;
  return shift === undefined || mediaSequence + segments.length - 1 + shift < last ? undefined : shift;
}

/** By how much numbers differ if all paths that both sides know, each once, agree on it; dates must fit. */
function shiftByPaths(
  known: readonly KnownSegment[],
  segments: readonly Segment[],
  { path, areDatesNeeded }: { path: (segment: Segment) => string; areDatesNeeded: boolean },
): number | undefined {
  const byPath = new Map<string, KnownSegment | undefined>();
  for (const one of known) byPath.set(path(one.segment), byPath.has(path(one.segment)) ? undefined : one);
  const starts = startsOf(segments);
  const seen = new Set<string>();
  let shift: number | undefined;
  for (const [index, segment] of segments.entries()) {
    const name = path(segment);
    if (seen.has(name)) return undefined;
    seen.add(name);
    const one = byPath.get(name);
    if (one === undefined) continue;
    const hit = one.number - segment.sequence;
    if (shift !== undefined && hit !== shift) return undefined;
    const [oneMs, otherMs] = [one.startMs, starts[index]];
    const areDated = oneMs !== undefined && otherMs !== undefined;
    if (areDated ? Math.abs(oneMs - otherMs) > SAME_DATE_MS : areDatesNeeded) return undefined;
    if (one.segment.durationMs !== segment.durationMs) return undefined;
    shift = hit;
  }
  return shift;
}
