import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PrefetchWindow, prefetchOrder } from '../../../src/upstream/pool/prefetch-window.ts';

const windows: fc.Arbitrary<PrefetchWindow> = fc
  .record({
    durationsMs: fc.array(fc.integer({ min: 0, max: 10_000 }), { maxLength: 30 }),
    players: fc.array(fc.nat(), { maxLength: 5 }),
    ahead: fc.integer({ min: 0, max: 8 }),
    maxAheadMs: fc.integer({ min: 0, max: 20_000 }),
  })
  .map(({ players, ...window }) => ({
    ...window,
    positions: players.map((place) => (place % (window.durationsMs.length + 1)) - 1),
  }));

describe('what is fetched ahead', () => {
  it('is within the window of a player and within the playlist, each once, the nearest first', () => {
    fc.assert(
      fc.property(windows, (window) => {
        const { durationsMs, positions, ahead, maxAheadMs } = window;
        const order = prefetchOrder(window);
        expect(new Set(order).size).toBe(order.length);
        const distances = order.map((index) => {
          expect(index).toBeLessThan(durationsMs.length);
          const isAllowed = (position: number): boolean => {
            const distance = index - position;
            const media = durationsMs.slice(position + 1, index + 1).reduce((sum, ms) => sum + ms, 0);
            return distance >= 1 && distance <= ahead && (distance === 1 || media <= maxAheadMs);
          };
          return Math.min(...positions.filter(isAllowed).map((position) => index - position));
        });
        expect(distances).toEqual([...distances].sort((a, b) => a - b));
        expect(distances.every(Number.isFinite)).toBe(true);
      }),
    );
  });

  it('leaves out nothing that a player may have', () => {
    fc.assert(
      fc.property(windows, (window) => {
        const { durationsMs, positions, ahead, maxAheadMs } = window;
        const order = new Set(prefetchOrder(window));
        for (const position of positions) {
          let mediaMs = 0;
          for (let distance = 1; distance <= ahead && position + distance < durationsMs.length; distance++) {
            mediaMs += durationsMs[position + distance] ?? 0;
            if (distance === 1 || mediaMs <= maxAheadMs) expect(order).toContain(position + distance);
          }
        }
      }),
    );
  });

  it.each([
    ['3 of 2 s', 2_000, [1, 2, 3]],
    ['2 of 4 s', 4_000, [1, 2]],
    ['1 of 10 s', 10_000, [1]],
  ])('is 8 s of media at most, and one thing at least: %s', (_what, durationMs, expected) => {
    const durationsMs = new Array<number>(9).fill(durationMs);
    expect(prefetchOrder({ durationsMs, positions: [0], ahead: 3, maxAheadMs: 8_000 })).toEqual(expected);
  });

  it('is one thing for each player in turn', () => {
    const durationsMs = new Array<number>(30).fill(2_000);
    const window = { durationsMs, ahead: 2, maxAheadMs: 8_000 };
    expect(prefetchOrder({ ...window, positions: [20, 3, -1] })).toEqual([21, 4, 0, 22, 5, 1]);
    expect(prefetchOrder({ ...window, positions: [3, 4, 29] })).toEqual([4, 5, 6]);
  });
});
