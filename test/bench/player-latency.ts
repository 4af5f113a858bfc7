import { launchBrowser } from '../support/browser.ts';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { LiveServer } from '../support/live-server.ts';
import { until } from '../support/poll.ts';
import { type Measurement, quantile } from './measure.ts';

const SECONDS = 60;
const SETTLE_SECONDS = 15;

/** Latency of hls.js on the watch page in Chromium, after it has settled, and how often it stalls. */
export async function measurePlayerLatency(): Promise<Measurement[]> {
  return [...(await measure(500, 2_500)), ...(await measure(250, 1_600))];
}

async function measure(partTargetMs: number, goalMs: number): Promise<Measurement[]> {
  const server = await LiveServer.start({ settings: `[hls]\npartTargetMs = ${partTargetMs}` });
  const publisher = new FfmpegPublisher({ url: server.rtmpUrl('bench'), bFrames: 0 });
  const browser = await launchBrowser();
  try {
    await server.variants('bench', 3);
    const page = await browser.newPage();
    await page.goto(`${server.app.httpUrl}/watch/live/bench`);
    await page.waitForSelector('body[data-state=playing]');
    const latency = async (): Promise<number> =>
      Number.parseFloat((await page.locator('#latency').textContent()) ?? '') * 1000;
    const stalls = await page.locator('#video').evaluateHandle((element) => {
      const count = { stalls: 0 };
      (element as unknown as EventTarget).addEventListener('waiting', () => (count.stalls += 1));
      return count;
    });
    const startedMs = performance.now();
    const latenciesMs: number[] = [];
    await until(
      `${SECONDS} s to pass`,
      async () => {
        const elapsedMs = performance.now() - startedMs;
        if (elapsedMs > SETTLE_SECONDS * 1_000) latenciesMs.push(await latency());
        return elapsedMs > SECONDS * 1_000;
      },
      2 * SECONDS * 1_000,
    );
    const stalled = (await stalls.jsonValue()).stalls;
    const known = latenciesMs.filter((value) => !Number.isNaN(value));
    return [
      {
        name: `hls.js latency in Chromium, ${partTargetMs / 1_000} s parts, p95 after ${SETTLE_SECONDS} s`,
        ...{ value: quantile(known, 0.95), unit: 'ms', goal: goalMs },
        note: `watch page on loopback, p50 ${quantile(known, 0.5).toFixed(0)} ms, ${stalled} stalls in ${SECONDS} s`,
      },
    ];
  } finally {
    await browser.close();
    await publisher.kill();
    await server.close();
  }
}
