import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { differences } from '../support/vod-heads.ts';
import { KillLoop, playWhole } from '../support/vod-kill-loop.ts';

const ROUNDS = 25;
let loop: KillLoop;

beforeAll(async () => {
  loop = await KillLoop.open();
});

afterAll(() => loop.close());

describe('a server that is killed again and again while it fills its cache', () => {
  it('gets on with it each time, and never completes an entry wrongly', async () => {
    const printed = await loop.run('fill', ROUNDS);
    expect(printed.length).toBeGreaterThan(ROUNDS);
    const player = await loop.player();
    const source = await loop.source(player);
    const complete = player.cache.report().entries.filter(({ isComplete }) => isComplete);
    for (const rendition of player.renditions) {
      const { headsStarted } = player.pool.report();
      const { progress, frames } = await playWhole(player, rendition);
      expect(progress).toMatchObject({ isComplete: true, encoded: progress.segmentCount });
      expect(differences(frames, source)).toEqual([]);
      const wasComplete = complete.some(({ quality }) => quality === rendition.name);
      if (wasComplete) expect(player.pool.report().headsStarted).toBe(headsStarted);
    }
    const all = player.renditions.length * (player.title.plan.boundaries.length - 1);
    expect(player.pool.report().segmentsEncoded).toBeLessThan(all);
    await player.close();
  }, 240_000);
});
