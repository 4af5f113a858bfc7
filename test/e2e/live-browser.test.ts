import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { LiveServer } from '../support/live-server.ts';
import { until } from '../support/poll.ts';

interface Video {
  readonly currentTime: number;
  readonly videoHeight: number;
  readonly readyState: number;
}

/** A viewer with Chromium on the watch page, while an admin changes the ladder. */
describe('a viewer in Chromium', () => {
  let server: LiveServer;
  let publisher: FfmpegPublisher;
  let browser: Browser;
  let page: Page;
  const foreign: string[] = [];
  const faults: string[] = [];

  beforeAll(async () => {
    server = await LiveServer.start();
    browser = await launchBrowser();
    page = await browser.newPage();
    page.on('request', (request) => {
      if (!request.url().startsWith(server.app.httpUrl) && !/^(blob|data):/.test(request.url()))
        foreign.push(request.url());
    });
    page.on('pageerror', (error) => faults.push(error.message));
    await page.goto(`${server.app.httpUrl}/watch/live/demo`);
    publisher = new FfmpegPublisher({ url: server.rtmpUrl('demo') });
  });

  afterAll(async () => {
    await browser.close();
    await publisher.kill();
    await server.close();
  });

  const playback = () =>
    page.locator('#video').evaluate((element) => {
      const video = element as unknown as Video;
      return { timeS: video.currentTime, height: video.videoHeight, waiting: video.readyState < 3 };
    });

  /** Waits until the picture has this height, and moves. */
  const plays = async (height: number): Promise<void> => {
    await until(`a picture of ${height} lines`, async () => (await playback()).height === height);
    const { timeS } = await playback();
    await until('the picture to move', async () => (await playback()).timeS > timeS + 0.5);
  };

  const choose = async (label: string): Promise<void> => {
    const option = page.locator('#quality option', { hasText: new RegExp(`^${label}`) });
    await option.waitFor({ state: 'attached' });
    await page.selectOption('#quality', await option.getAttribute('value'));
  };

  it('finds the stream by itself and plays it, fetching nothing from elsewhere', async () => {
    await page.waitForSelector('body[data-state=playing]', { timeout: 40_000 });
    await until('the first picture', async () => (await playback()).timeS > 0.5);
    expect(foreign).toEqual([]);
  });

  it('shows the whole ladder to whoever comes once it is complete', async () => {
    await server.variants('demo', 3);
    await page.reload();
    await page.waitForSelector('body[data-state=playing]');
    await until('the menu', async () => (await page.locator('#quality option').count()) === 4);
  });

  it('switches through all qualities while a rung is added, without standing still', async () => {
    const added = await server.addRendition({ name: '180p', width: 320, height: 180, videoBitrateKbps: 200 });
    expect(added.status).toBe(201);
    for (const [label, height] of [
      ['144p', 144],
      ['360p', 360],
      ['240p', 240],
    ] as const) {
      await choose(label);
      await plays(height);
    }
    await server.variants('demo', 4);
  });

  it('goes on with another quality when the one it plays is removed', async () => {
    expect((await server.api('DELETE', 'renditions/240p')).status).toBe(204);
    await until('another quality', async () => {
      const { height, waiting } = await playback();
      return height !== 240 && height > 0 && !waiting;
    });
    const { height } = await playback();
    await plays(height);
    expect(faults).toEqual([]);
  });

  it('offers the added rung after a reload', async () => {
    await page.reload();
    await page.waitForSelector('body[data-state=playing]');
    await choose('180p');
    await plays(180);
  });

  it('tells when the stream has ended', async () => {
    await publisher.stop();
    await page.locator('#message', { hasText: /ended/ }).waitFor({ timeout: 40_000 });
  });
});
