import type { SegmentPlan } from './title.ts';

/** Ticks in a second. */
export const TICKS_PER_SECOND = 90_000;
/** The longest segment of frames that are served as they are, ticks. */
export const MAX_COPY_TICKS = 10.5 * TICKS_PER_SECOND;

/** The first segment is shorter, so that playback can begin sooner. */
const FIRST_TICKS = 2 * TICKS_PER_SECOND;
/** A shorter rest is part of the segment before. */
const MIN_LAST_TICKS = TICKS_PER_SECOND / 2;
/** How far from where a boundary is wanted a keyframe or the end still is one, as a part of the target. */
const TOLERANCE = 0.25;
/** Segments shorter than this part of the target are only made where no keyframe allows for a longer one. */
const MIN_PART = 0.25;
/** With the target that results, and boundaries that come earlier by the tolerance, no title has over 20,000 segments. */
const MAX_TARGETS = 15_000;

/** What a plan is made from; times are ticks. */
export interface PlanInput {
  readonly firstTicks: number;
  /** Later than `firstTicks`. */
  readonly endTicks: number;
  /** Wanted segment duration; longer for titles that would have more than 20,000 segments. */
  readonly targetTicks: number;
  /** Ascending; left out if they are not known, or if there is no picture. */
  readonly keyframes?: ArrayLike<number> | undefined;
  /** Times at which frames are shown, ascending; left out if they are not known. */
  readonly frames?: ArrayLike<number> | undefined;
  /** Boundaries are keyframes, wherever they are. */
  readonly keyframesOnly: boolean;
}

/**
 * Says where segments begin. With `keyframesOnly`, at the keyframes that are nearest to the target, and never more than
 * 10.5 s apart if keyframes are not; otherwise at a keyframe near the target, else at the first frame from there on, else
 * just there.
 */
export function planSegments(input: PlanInput): SegmentPlan {
  const { firstTicks, endTicks, keyframes, keyframesOnly } = input;
  const targetTicks = Math.max(input.targetTicks, Math.ceil((endTicks - firstTicks) / MAX_TARGETS));
  const boundaries = [firstTicks];
  const cutAfter =
    keyframes !== undefined && keyframesOnly
      ? keyframeCut(keyframes, targetTicks, endTicks)
      : freeCut(input, targetTicks);
  for (let at = firstTicks; ;) {
    const wantedTicks = boundaries.length === 1 ? Math.min(FIRST_TICKS, targetTicks) : targetTicks;
    if (endTicks - at <= wantedTicks * (1 + TOLERANCE)) break;
    const next = cutAfter(at, at + wantedTicks);
    if (next === undefined || endTicks - next < MIN_LAST_TICKS) break;
    boundaries.push(next);
    at = next;
  }
  boundaries.push(endTicks);
  if (keyframes === undefined) return { boundaries, keyframes: undefined, atKeyframes: false };
  return { boundaries, ...aroundBoundaries(boundaries, keyframes) };
}

/** Finds the next boundary after `at`, wanted at `wanted`; `undefined` if none is left. */
type Cut = (at: number, wanted: number) => number | undefined;

function keyframeCut(keyframes: ArrayLike<number>, targetTicks: number, endTicks: number): Cut {
  const maxTicks = Math.max(MAX_COPY_TICKS, targetTicks * (1 + TOLERANCE));
  return (at, wanted) => {
    const earliest = lowerBound(keyframes, at + (wanted - at) * MIN_PART);
    const best = nearest(keyframes, wanted, earliest);
    if ((best ?? endTicks) - at <= maxTicks) return best;
    const lastInReach = keyframes[lowerBound(keyframes, at + maxTicks + 1) - 1];
    return lastInReach !== undefined && lastInReach > at ? lastInReach : best;
  };
}

function freeCut({ keyframes = [], frames }: PlanInput, targetTicks: number): Cut {
  const tolerance = targetTicks * TOLERANCE;
  return (at, wanted) => {
    const keyframe = nearest(keyframes, wanted, lowerBound(keyframes, Math.max(at + 1, wanted - tolerance)));
    if (keyframe !== undefined && keyframe - wanted <= tolerance) return keyframe;
    return frames === undefined ? wanted : frames[lowerBound(frames, wanted)];
  };
}

/** Of the times from index `from` on, the one nearest to `wanted`; the earlier of two. */
function nearest(times: ArrayLike<number>, wanted: number, from: number): number | undefined {
  const above = Math.max(from, lowerBound(times, wanted));
  const before = above > from ? times[above - 1] : undefined;
  const after = times[above];
  if (before === undefined || after === undefined) return before ?? after;
  return wanted - before <= after - wanted ? before : after;
}

/** Index of the first time that is not before `ticks`; the length if all are. `times` must be ascending. */
export function lowerBound(times: ArrayLike<number>, ticks: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] ?? Infinity) < ticks) low = middle + 1;
    else high = middle;
  }
  return low;
}

function aroundBoundaries(
  boundaries: readonly number[],
  keyframes: ArrayLike<number>,
): Pick<SegmentPlan, 'keyframes' | 'atKeyframes'> {
  const kept = new Set<number>();
  let atKeyframes = true;
  for (const boundary of boundaries.slice(0, -1)) {
    const after = lowerBound(keyframes, boundary + 1);
    const last = keyframes[after - 1];
    const next = keyframes[after];
    if (last !== undefined) kept.add(last);
    if (next !== undefined) kept.add(next);
    atKeyframes &&= last === boundary;
  }
  return { keyframes: [...kept].sort((one, other) => one - other), atKeyframes };
}
