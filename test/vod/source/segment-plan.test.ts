import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lowerBound, MAX_COPY_TICKS, type PlanInput, planSegments } from '../../../src/vod/source/segment-plan.ts';

const S = 90_000;
const seconds = (...values: number[]): number[] => values.map((value) => Math.round(value * S));

/** Boundaries in seconds. */
function plan(changes: Partial<PlanInput>): number[] {
  const input = { firstTicks: 0, endTicks: 20 * S, targetTicks: 4 * S, keyframesOnly: false, ...changes };
  return planSegments(input).boundaries.map((ticks) => ticks / S);
}

function every(intervalSeconds: number, untilSeconds: number): number[] {
  return Array.from({ length: Math.ceil(untilSeconds / intervalSeconds) }, (_, n) =>
    Math.round(n * intervalSeconds * S),
  );
}

describe('planSegments', () => {
  it('begins with a short segment and goes on at keyframes', () => {
    expect(plan({ keyframes: every(2, 20), keyframesOnly: true })).toEqual([0, 2, 6, 10, 14, 18, 20]);
    expect(plan({ keyframes: every(2, 20) })).toEqual([0, 2, 6, 10, 14, 18, 20]);
  });

  it('takes the keyframes that are nearest to the target', () => {
    const keyframes = seconds(0, 1.5, 3, 4.9, 9.2, 10, 13);
    expect(plan({ keyframes, keyframesOnly: true })).toEqual([0, 1.5, 4.9, 9.2, 13, 20]);
  });

  it('cuts between keyframes that are too far away, at the first frame from the target on', () => {
    const frames = every(1 / 24, 20);
    expect(plan({ keyframes: every(10, 20), frames, targetTicks: 3.99 * S })).toEqual([...[0, 2, 6, 10, 14, 18, 20]]);
    expect(plan({ keyframes: [0], frames: seconds(0, 1, 2.5, 7, 12, 13, 19), endTicks: 20 * S })).toEqual([
      ...[0, 2.5, 7, 12, 19, 20],
    ]);
  });

  it('cuts at multiples of the target where no frame is known', () => {
    expect(plan({})).toEqual([0, 2, 6, 10, 14, 18, 20]);
    expect(plan({ keyframes: seconds(0, 15) })).toEqual([0, 2, 6, 10, 15, 20]);
  });

  it('makes the last segment longer instead of a short one behind it', () => {
    expect(plan({ endTicks: 19 * S })).toEqual([0, 2, 6, 10, 14, 19]);
    expect(plan({ endTicks: 19.1 * S })).toEqual([0, 2, 6, 10, 14, 18, 19.1]);
    const late = { keyframes: seconds(0, 2, 6.9), keyframesOnly: true };
    expect(plan({ ...late, endTicks: 7.39 * S })).toEqual([0, 2, 7.39]);
    expect(plan({ ...late, endTicks: 7.4 * S })).toEqual([0, 2, 6.9, 7.4]);
    expect(plan({ endTicks: 1 })).toEqual([0, 1 / S]);
  });

  it('begins with the first frame, wherever that is', () => {
    expect(plan({ firstTicks: 2_070, keyframes: seconds(0.023, 2.023, 6.023), endTicks: 8 * S })).toEqual([
      ...[0.023, 2.023, 6.023, 8],
    ]);
  });

  it('goes on after keyframes that stand close together without tiny segments', () => {
    const keyframes = seconds(0, 0.1, 10.4, 10.5, 20.8);
    expect(plan({ keyframes, keyframesOnly: true, endTicks: 25 * S })).toEqual([0, 10.4, 20.8, 25]);
  });

  it('makes a tiny segment where the next keyframe is too far for a longer one', () => {
    expect(plan({ keyframes: seconds(0, 0.4, 10.8), keyframesOnly: true })).toEqual([0, 0.4, 10.8, 20]);
  });

  it('makes no tiny segment where the rest is short enough', () => {
    expect(plan({ keyframes: seconds(0, 4, 4.4), keyframesOnly: true, endTicks: 14 * S })).toEqual([0, 4, 14]);
    expect(plan({ keyframes: seconds(0, 4, 4.4), keyframesOnly: true, endTicks: 14.8 * S })).toEqual([0, 4, 4.4, 14.8]);
  });

  it('keeps, of each boundary, the last keyframe that is not after it and the next one', () => {
    const keyframes = seconds(0, 0.5, 1, 1.5, 2, 2.5, 3, 5, 5.5, 6, 7, 8);
    const { keyframes: kept, atKeyframes } = planSegments({
      ...{ firstTicks: 0, endTicks: 9 * S, targetTicks: 4 * S, keyframes, keyframesOnly: false },
    });
    expect(kept).toEqual(seconds(0, 0.5, 2, 2.5, 6, 7));
    expect(atKeyframes).toBe(true);
  });

  it('knows when a boundary is no keyframe', () => {
    const input = { firstTicks: 0, endTicks: 20 * S, targetTicks: 4 * S, keyframesOnly: false };
    expect(planSegments(input)).toMatchObject({ keyframes: undefined, atKeyframes: false });
    expect(planSegments({ ...input, keyframes: [0] })).toMatchObject({ keyframes: [0], atKeyframes: false });
    expect(planSegments({ ...input, keyframes: [S], endTicks: 3 * S })).toMatchObject({
      keyframes: [S],
      atKeyframes: false,
    });
  });

  it('makes segments longer before there are more than 20,000', () => {
    const day = 24 * 3_600;
    const { boundaries } = planSegments({ firstTicks: 0, endTicks: day * S, targetTicks: S, keyframesOnly: false });
    expect(boundaries.length).toBeLessThanOrEqual(20_001);
    expect(boundaries[2]! - boundaries[1]!).toBe((day / 15_000) * S);
    const dense = planSegments({
      ...{ firstTicks: 0, endTicks: day * S, targetTicks: S, keyframes: every(0.75, day), keyframesOnly: true },
    });
    expect(dense.boundaries.length).toBeLessThanOrEqual(20_001);
  });

  it('holds for any keyframes and frames', () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 12 * S }), { minLength: 1, maxLength: 200 });
    const timesOf = (first: number, all: readonly number[]): number[] => {
      let at = first;
      return [first, ...all.map((gap) => (at += gap))];
    };
    fc.assert(
      fc.property(
        ...[fc.integer({ min: -S, max: 5 * S }), gaps, gaps, fc.integer({ min: S, max: 10 * S })],
        ...[fc.integer({ min: 1, max: 12 * S }), fc.boolean(), fc.boolean(), fc.boolean()],
        (firstTicks, keyGaps, frameGaps, targetTicks, rest, hasKeys, hasFrames, keyframesOnly) => {
          const keyframes = hasKeys ? timesOf(firstTicks, keyGaps) : undefined;
          const frames = hasFrames ? timesOf(firstTicks, frameGaps) : undefined;
          const endTicks = Math.max(keyframes?.at(-1) ?? firstTicks, frames?.at(-1) ?? firstTicks) + rest;
          const { boundaries, ...planned } = planSegments({
            ...{ firstTicks, endTicks, targetTicks, keyframes, frames, keyframesOnly },
          });
          expect(boundaries[0]).toBe(firstTicks);
          expect(boundaries.at(-1)).toBe(endTicks);
          const starts = boundaries.slice(0, -1);
          for (const [index, start] of starts.entries()) {
            const length = boundaries[index + 1]! - start;
            expect(length).toBeGreaterThan(0);
            if (!keyframesOnly && !hasFrames) expect(length).toBeLessThan(targetTicks * 1.25 + S / 2 + 1);
            if (keyframesOnly && hasKeys) {
              const next = keyframes![lowerBound(keyframes!, start + 1)] ?? endTicks;
              const longest = Math.max(MAX_COPY_TICKS, targetTicks * 1.25, next - start);
              if (index < starts.length - 1) expect(length).toBeLessThanOrEqual(longest);
            }
          }
          if (starts.length > 1) expect(endTicks - starts.at(-1)!).toBeGreaterThanOrEqual(S / 2);
          const areKeyframes = keyframes !== undefined && starts.every((ticks) => keyframes.includes(ticks));
          expect(planned.atKeyframes).toBe(areKeyframes);
          if (keyframesOnly && hasKeys) expect(areKeyframes).toBe(true);
          for (const start of starts) {
            if (keyframes === undefined) continue;
            const after = lowerBound(keyframes, start + 1);
            expect(planned.keyframes).toEqual(
              expect.arrayContaining(keyframes.slice(Math.max(0, after - 1), after + 1)),
            );
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
