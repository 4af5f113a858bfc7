import { describe, expect, it } from 'vitest';
import { watchedPieces } from '../../src/http/watched-pieces.ts';
import { ManualClock } from '../support/manual-clock.ts';

const PIECE = Buffer.alloc(64 * 1024);

/** After how many pieces a viewer is dropped that needs so long for each of 100; 100 if it is not. */
async function piecesTaken(eachMs: number): Promise<number> {
  const clock = new ManualClock();
  const dropped: true[] = [];
  const pieces = (async function* () {
    for (let count = 0; count < 100; count += 1) yield await Promise.resolve(PIECE);
  })();
  let taken = 0;
  for await (const piece of watchedPieces(pieces, { clock, onStalled: () => void dropped.push(true) })) {
    expect(piece).toBe(PIECE);
    clock.advance(eachMs);
    await Promise.resolve();
    if (dropped.length > 0) break;
    taken += 1;
  }
  return taken;
}

describe('a viewer of relayed media', () => {
  it.each([
    { eachMs: 0, taken: 100 },
    { eachMs: 4_000, taken: 100 },
    { eachMs: 5_000, taken: 12 },
    { eachMs: 14_000, taken: 1 },
    { eachMs: 16_000, taken: 0 },
  ])('that takes 64 KiB in $eachMs ms gets $taken pieces of 100', async ({ eachMs, taken }) => {
    expect(await piecesTaken(eachMs)).toBe(taken);
  });
});
