import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { LiveServer } from '../support/live-server.ts';
import { PlayerPage } from '../support/player-page.ts';
import { until } from '../support/poll.ts';

/** Bare players on another origin, on a ladder of three small rungs. */
describe.each(['hls.js', 'shaka'] as const)('a viewer with %s', (player) => {
  let server: LiveServer;
  let browser: Browser;
  let publisher: FfmpegPublisher;
  let viewer: PlayerPage;

  beforeAll(async () => {
    server = await LiveServer.start();
    browser = await launchBrowser();
    publisher = new FfmpegPublisher({ url: server.rtmpUrl('demo'), rate: 25, gop: 50 });
    await server.variants('demo', 3);
    viewer = await PlayerPage.open(browser, { player, url: server.multivariantUrl('demo') });
    await viewer.plays(2);
  });

  afterAll(async () => {
    await viewer.close();
    await browser.close();
    await publisher.kill();
    await server.close();
  });

  it('switches rungs without standing still', async () => {
    expect((await viewer.heights()).filter((height) => height > 0).sort()).toEqual([144, 240, 360]);
    const startedAtMs = Date.now();
    for (const height of [144, 360, 240]) {
      await viewer.choose(height);
      await viewer.sample(`${height} lines`, (sample) => sample.height === height);
      await viewer.plays(1);
    }
    const report = (await viewer.report()).since(startedAtMs);
    expect(report.longestFreezeMs).toBeLessThan(1_500);
    expect(report.fatalErrors).toEqual([]);
  });

  it('goes on with another rung when its own is removed', async () => {
    await viewer.automatic();
    const startedAtMs = Date.now();
    const before = (await viewer.report()).last!;
    const rung = before.height === 360 ? 'original' : `${before.height}p`;
    expect((await server.api('DELETE', `renditions/${rung}`)).status).toBe(204);
    await viewer.sample('another rung', ({ height }) => height > 0 && height !== before.height, 60_000);
    const report = (await viewer.plays(3)).since(startedAtMs);
    expect(report.longestFreezeMs).toBeLessThan(10_000);
  });

  it('plays what was live more than 20 s ago, and the live edge again', async () => {
    const { endS } = await until('25 s to go back in', async () => {
      const range = await viewer.seekable();
      return range.endS - range.startS > 25 && range;
    });
    await viewer.seek(endS - 22);
    await viewer.sample('the old picture', ({ timeS }) => timeS < endS - 20 && timeS > endS - 22);
    const report = await viewer.plays(2);
    expect(report.last!.latencyS).toBeGreaterThan(18);
    await viewer.seek((await viewer.seekable()).endS - 2);
    await viewer.sample('the newest picture', ({ timeS }) => timeS > endS - 2);
    await viewer.plays(2);
    expect((await viewer.report()).fatalErrors).toEqual([]);
  });

  it('ends when the broadcast ends', async () => {
    // A rung that was removed never tells Shaka Player of the end, so that it has to forget the rung first.
    if (player === 'shaka') await viewer.reload();
    await viewer.plays(2);
    await publisher.stop();
    await viewer.sample('the end', ({ idle }) => idle);
    expect((await viewer.report()).record.ended).toBe(true);
  });
});
