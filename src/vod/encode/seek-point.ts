import type { MediaSource } from '../source/media-source.ts';
import type { Title } from '../source/title.ts';
import { BOUNDARY_TOLERANCE_TICKS } from './segment-range.ts';

/** What tells where to seek in a title. */
type Sought = Pick<Title, 'plan' | 'format'> & { readonly source: Pick<MediaSource, 'kind'> };

/** Containers whose seeks end exactly at a keyframe of their index. */
const INDEXED_FORMATS = /(^|,)(mov|mp4|matroska|webm)(,|$)/;
/** How far behind a keyframe a seek in them aims, at most: times there are rounded. */
const INSIDE_TICKS = 22_500;
/** How far before a keyframe a seek in other containers aims. */
const BEFORE_TICKS = 90_000;
/** How far before its first frame a head begins whose source has no index: longer than the GOPs of nearly all. */
const BLIND_TICKS = 12 * 90_000;

/**
 * Where ffmpeg has to seek to, without being exact, so that the frame at `atTicks` can be decoded; ticks from the title's
 * start. `undefined`: read from the beginning.
 * @param careful Seeks further back, for sources whose index is wrong.
 */
export function seekPoint({ plan, format, source }: Sought, atTicks: number, careful: boolean): number | undefined {
  const first = plan.boundaries[0] ?? 0;
  const aim = aimAt({ plan, format, source }, atTicks, careful);
  return aim === undefined || aim <= Math.max(first, 0) ? undefined : aim;
}

function aimAt({ plan: { keyframes }, format, source }: Sought, atTicks: number, careful: boolean): number | undefined {
  // Segments of a playlist begin with a keyframe, and it is opened at one of them.
  if (source.kind === 'playlist' && !careful) return atTicks - BEFORE_TICKS;
  if (keyframes === undefined || careful) return atTicks - BLIND_TICKS;
  const next = firstAfter(keyframes, atTicks + BOUNDARY_TOLERANCE_TICKS);
  const keyframe = keyframes[next - 1];
  // The first one is found without a seek.
  if (keyframe === undefined || next === 1) return undefined;
  if (!INDEXED_FORMATS.test(format)) return keyframe - BEFORE_TICKS;
  return keyframe + Math.min(INSIDE_TICKS, ((keyframes[next] ?? Infinity) - keyframe) / 2);
}

/** Index of the first of ascending numbers that is greater. */
function firstAfter(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? Infinity) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The keyframe after a time, or `Infinity`. */
export function keyframeAfter({ keyframes = [] }: Title['plan'], atTicks: number): number {
  return keyframes[firstAfter(keyframes, atTicks + BOUNDARY_TOLERANCE_TICKS)] ?? Infinity;
}
