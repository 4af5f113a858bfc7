import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { differences } from '../support/vod-heads.ts';
import { KillLoop, playWhole } from '../support/vod-kill-loop.ts';

const ROUNDS = 25;
let loop: KillLoop;

beforeAll(async () => {
  loop = await KillLoop.open();
});

afterAll(() => loop.close());

describe('a server that is killed again and again while it is played from', () => {
  it('never serves a wrong byte, uses what it had encoded, and completes it', async () => {
    const printed = await loop.run('play', ROUNDS);
    const player = await loop.player();
    const source = await loop.source(player);
    const { faults, versions } = await loop.servedFaults(player, source);
    expect(faults).toEqual([]);
    expect(versions).toBeGreaterThan(ROUNDS / 2);
    expect(printed.length).toBeGreaterThan(versions);

    for (const rendition of player.renditions) {
      const { progress, frames } = await playWhole(player, rendition);
      expect(progress).toMatchObject({ isComplete: true, encoded: progress.segmentCount });
      expect(differences(frames, source)).toEqual([]);
    }
    const all = player.renditions.length * (player.title.plan.boundaries.length - 1);
    expect(player.pool.report().segmentsEncoded).toBeLessThan(all);
    await player.close();
  }, 240_000);
});
