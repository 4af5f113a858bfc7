import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { LiveServer } from '../support/live-server.ts';
import { openWatchPage, type RecordedPage } from '../support/player-page.ts';
import { until } from '../support/poll.ts';

const TWO_RUNGS = `
[[rendition]]
name = "original"
factory = "passthrough"

[[rendition]]
name = "240p"
width = 426
height = 240
videoBitrateKbps = 400
audioBitrateKbps = 64
preset = "ultrafast"
`;

interface Video {
  currentTime: number;
  readonly duration: number;
}

/** The watch page in Chromium, while things happen to the stream. */
describe('the watch page', () => {
  let server: LiveServer;
  let browser: Browser;
  let publisher: FfmpegPublisher;
  let viewer: RecordedPage;

  beforeAll(async () => {
    server = await LiveServer.start({
      ladder: TWO_RUNGS,
      settings: 'hls.archive = true',
      publish: { graceMs: 60_000 },
    });
    browser = await launchBrowser();
    publisher = new FfmpegPublisher({ url: server.rtmpUrl('demo') });
    await server.variants('demo', 2);
  });

  beforeEach(async () => {
    viewer = await openWatchPage(browser, `${server.app.httpUrl}/watch/live/demo`);
    await viewer.plays(1);
  });

  afterEach(() => viewer.page.close());

  afterAll(async () => {
    await browser.close();
    await publisher.kill();
    await server.close();
  });

  const state = (wanted: string) => viewer.page.waitForSelector(`body[data-state=${wanted}]`, { timeout: 40_000 });

  it('shows the note while the publisher is away for 7 s, keeps the picture, and goes on by itself', async () => {
    await publisher.kill();
    const goneAtMs = Date.now();
    await state('interrupted');
    expect(await viewer.page.locator('.note').isVisible()).toBe(true);
    await viewer.sample('7 s to pass', ({ wallMs, height }) => wallMs > goneAtMs + 7_000 && height > 0);
    publisher = new FfmpegPublisher({ url: server.rtmpUrl('demo') });
    await state('playing');
    const backAtMs = Date.now();
    const report = (await viewer.plays(8, undefined, backAtMs)).since(backAtMs);
    expect(await viewer.page.locator('.note').isVisible()).toBe(false);
    expect(report.last!.latencyS).toBeLessThan(10);
  });

  it('starts again by itself after a fatal error', async () => {
    // The page's own questions, which it asks for the short window, are answered.
    const playlists = /\/(video|audio)\.m3u8(\?(?!dvr=0)|$)/;
    await viewer.page.route(playlists, (route) => route.fulfill({ status: 404 }));
    await until('the picture to stand still', async () => (await viewer.report()).longestFreezeMs > 1_000);
    await viewer.page.unroute(playlists);
    await viewer.sample('another player', ({ element }) => element === 1);
    await viewer.plays(3);
    await state('playing');
  });

  it('offers a rung that was added, without a break', async () => {
    await viewer.plays(3);
    const startMs = Date.now();
    const added = await server.addRendition({ name: '144p', width: 256, height: 144, videoBitrateKbps: 150 });
    expect(added.status).toBe(201);
    await viewer.page.locator('#quality option', { hasText: /^144p/ }).waitFor({ state: 'attached', timeout: 40_000 });
    const report = (await viewer.plays(3)).since(startMs);
    expect(report.last!.element).toBe(1);
    expect(report.longestFreezeMs).toBeLessThan(1_000);
    expect(report.stepsBack()).toEqual([]);
  });

  it('brings a viewer who went back to the live edge', async () => {
    const { timeS } = (await viewer.report()).last!;
    await viewer.page.locator('#video').evaluate((video) => ((video as Video).currentTime -= 20));
    const live = viewer.page.locator('#live');
    await live.waitFor({ state: 'visible' });
    await viewer.plays(1);
    await live.click();
    await viewer.sample('the live edge', (sample) => sample.timeS > timeS - 1);
    await live.waitFor({ state: 'hidden' });
    await viewer.plays(1);
  });

  it('tells when the broadcast has ended, and plays its recording', async () => {
    expect((await server.api('DELETE', 'broadcasts/live/demo')).status).toBe(204);
    await viewer.page.locator('#message', { hasText: /has ended/ }).waitFor({ timeout: 40_000 });
    await state('waiting');
    const recordings = await until('the recording', async () => {
      const list = (await (await server.api('GET', 'archives')).json()) as { id: string; durationMs: number }[];
      return list.length > 0 && list;
    });
    await viewer.page.goto(`${server.app.httpUrl}/watch/live/demo?archive=${recordings[0]!.id}`);
    await state('playing');
    const video = viewer.page.locator('#video');
    await until('the recording to play', () => video.evaluate((element) => (element as Video).currentTime > 1));
    const durationS = await video.evaluate((element) => (element as Video).duration);
    // All of it but the time that the publisher was away.
    expect(recordings[0]!.durationMs / 1_000 - durationS).toBeGreaterThan(-1);
    expect(recordings[0]!.durationMs / 1_000 - durationS).toBeLessThan(15);
    expect(await viewer.page.locator('.tag').isVisible()).toBe(false);
  });
});
