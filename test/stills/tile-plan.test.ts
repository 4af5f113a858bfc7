import { describe, expect, it } from 'vitest';
import type { Keyframe } from '../../src/stills/keyframe.ts';
import { intervalOfSheet, planTiles, tileIntervalS } from '../../src/stills/tile-plan.ts';

const START_MS = 1_763_700_000_000;

/** Segments of 2 s; `atS` are the program dates. */
function segments(atS: readonly number[], { firstMsn = 0 }: { firstMsn?: number } = {}): Keyframe[] {
  return atS.map((at, index) => ({
    ...{ msn: firstMsn + index, programDateTimeMs: START_MS + at * 1000, durationMs: 2_000, init: Buffer.alloc(0) },
    read: () => Promise.resolve(undefined),
  }));
}

function every2S(fromS: number, toS: number): number[] {
  return Array.from({ length: (toS - fromS) / 2 }, (_, index) => fromS + index * 2);
}

describe('tileIntervalS', () => {
  it.each([
    [2, 10],
    [600, 10],
    [2_000, 10],
    [2_002, 20],
    [3_600, 20],
    [4 * 3_600, 120],
    [24 * 3_600, 600],
  ])('lays tiles over %i s each %i s, at most 200', (windowS, intervalS) => {
    const list = segments(every2S(0, windowS));
    expect(tileIntervalS(list)).toBe(intervalS);
    expect(planTiles(list, intervalS).length).toBeLessThanOrEqual(201);
  });
});

describe('planTiles', () => {
  it('gives no time to a hole in the program date, since the list has none', () => {
    const tiles = planTiles(segments([...every2S(0, 20), ...every2S(320, 340)]), 10);
    expect(tiles.map(({ startMs, endMs }) => [startMs / 1000, endMs / 1000])).toEqual([
      ...[
        [0, 10],
        [10, 20],
        [20, 30],
        [30, 40],
      ],
    ]);
    expect(tiles.map(({ number }) => number - tiles[0]!.number)).toEqual([0, 1, 32, 33]);
  });

  it('gives their time to segments that have no picture', () => {
    const tiles = planTiles([...segments(every2S(0, 10)), ...segments(every2S(20, 30), { firstMsn: 10 })], 10);
    expect(tiles.map(({ startMs, endMs }) => [startMs / 1000, endMs / 1000])).toEqual([
      ...[
        [0, 10],
        [20, 30],
      ],
    ]);
  });

  it('never goes back when the program date does', () => {
    const tiles = planTiles(segments([...every2S(0, 20), ...every2S(18, 30)]), 10);
    expect(tiles.map(({ startMs, endMs }) => [startMs / 1000, endMs / 1000])).toEqual([
      ...[
        [0, 10],
        [10, 22],
        [22, 32],
      ],
    ]);
  });
});

describe('intervalOfSheet', () => {
  it('finds the interval that a number was made with, also after the window has taken another', () => {
    const list = segments(every2S(0, 5_000));
    for (const intervalS of [10, 20, 30, 60]) {
      const sheet = Math.floor((START_MS / 1000 + 2_500) / (25 * intervalS));
      expect(intervalOfSheet(sheet, list)).toBe(intervalS);
    }
    expect(intervalOfSheet(Math.floor(START_MS / 250_000) - 1, list)).toBeUndefined();
  });
});
