import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { PlayerReport, type PlayerRecord, type PlayerSample } from './player-report.ts';
import { until } from './poll.ts';

const require = createRequire(import.meta.url);
const FOLDER = path.join(import.meta.dirname, 'player-page');
const RECORDER = path.join(FOLDER, 'recorder.js');

const HTML = `<!doctype html><title>player</title><link rel="icon" href="data:,"><video muted playsinline width="320"></video>
<script src="/recorder.js"></script><script src="/hls.js"></script><script src="/shaka.js"></script><script src="/page.js"></script>`;

const FILES: Record<string, string> = {
  '/recorder.js': RECORDER,
  '/page.js': path.join(FOLDER, 'page.js'),
  '/hls.js': require.resolve('hls.js/dist/hls.min.js'),
  '/hls.worker.js': require.resolve('hls.js/dist/hls.worker.js'),
  '/shaka.js': path.join(path.dirname(require.resolve('shaka-player')), 'shaka-player.compiled.js'),
};

/**
 * What Shaka Player 5.2 needs for a broadcast: in its other mode it throws away every part that does not begin with a keyframe. It also
 * goes by its own timeline instead of the wall clock's, in which a publisher's absence is a hole that it never leaves.
 */
const SHAKA_LIVE = { manifest: { hls: { sequenceMode: true, ignoreManifestProgramDateTime: true } } };

/** What a page with a bare player offers to the test. */
interface PagePlayer {
  heights(): number[];
  choose(height: number): void;
  automatic(): void;
  reload(): void;
  sound(index: number): void;
  subtitles(index: number): void;
  seekable(): { startS: number; endS: number };
}

interface PageWindow {
  readonly playerRecord: PlayerRecord;
  readonly player: PagePlayer;
}

/** A page whose picture is recorded. */
export class RecordedPage {
  readonly page: Page;
  /** What failures call it. */
  readonly label: string;

  constructor(page: Page, label: string) {
    this.page = page;
    this.label = label;
  }

  async report(): Promise<PlayerReport> {
    return new PlayerReport(await this.page.evaluate('window.playerRecord'));
  }

  /** Waits until the newest sample is as wanted. */
  sample(what: string, isWanted: (sample: PlayerSample) => boolean, timeoutMs?: number): Promise<PlayerSample> {
    const ask = async (): Promise<PlayerSample | undefined> => {
      const last = await this.page.evaluate<PlayerSample | undefined>('window.playerRecord?.samples.at(-1)');
      return last !== undefined && isWanted(last) ? last : undefined;
    };
    return until(`${this.label}: ${what}`, ask, timeoutMs);
  }

  /** Waits until this many seconds have been played from now on (or since `sinceWallMs`). */
  async plays(seconds: number, timeoutMs?: number, sinceWallMs = Date.now()): Promise<PlayerReport> {
    return until(
      `${this.label}: ${seconds} s to be played`,
      async () => {
        const report = await this.report();
        return report.playedS(sinceWallMs) >= seconds && report;
      },
      timeoutMs,
    );
  }
}

/** A page of another origin with hls.js or Shaka Player, configured as their users would. */
export class PlayerPage extends RecordedPage {
  readonly #server: Server;

  private constructor(page: Page, server: Server, label: string) {
    super(page, label);
    this.#server = server;
  }

  /** Opens the page and begins to play. */
  static async open(
    browser: Browser,
    { player, url, shaka = SHAKA_LIVE }: { player: 'hls.js' | 'shaka'; url: string; shaka?: object },
  ): Promise<PlayerPage> {
    const server = await serveFiles();
    const page = await browser.newPage();
    const { port } = server.address() as AddressInfo;
    const query = new URLSearchParams({ player, url, config: JSON.stringify(shaka) });
    await page.goto(`http://127.0.0.1:${port}/?${query.toString()}`);
    return new PlayerPage(page, server, `${player} ${new URL(url).pathname}`);
  }

  heights(): Promise<number[]> {
    return this.page.evaluate(() => (globalThis as unknown as PageWindow).player.heights());
  }

  choose(height: number): Promise<void> {
    return this.page.evaluate((wanted) => (globalThis as unknown as PageWindow).player.choose(wanted), height);
  }

  /** Lets the player choose again. */
  automatic(): Promise<void> {
    return this.page.evaluate(() => (globalThis as unknown as PageWindow).player.automatic());
  }

  /** Loads the playlist again, as a page does that finds its player stuck. */
  reload(): Promise<void> {
    return this.page.evaluate(() => (globalThis as unknown as PageWindow).player.reload());
  }

  /** Switches to another sound, in the order of the player. */
  chooseSound(index: number): Promise<void> {
    return this.page.evaluate((wanted) => (globalThis as unknown as PageWindow).player.sound(wanted), index);
  }

  /** Shows subtitles, in the order of the player. */
  chooseSubtitles(index: number): Promise<void> {
    return this.page.evaluate((wanted) => (globalThis as unknown as PageWindow).player.subtitles(wanted), index);
  }

  /** The part of the media time that can be played. */
  seekable(): Promise<{ startS: number; endS: number }> {
    return this.page.evaluate(() => (globalThis as unknown as PageWindow).player.seekable());
  }

  seek(timeS: number): Promise<void> {
    return this.page.evaluate(`void (document.querySelector('video').currentTime = ${timeS})`);
  }

  async close(): Promise<void> {
    await this.page.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Opens the watch page and records it. */
export async function openWatchPage(browser: Browser, url: string): Promise<RecordedPage> {
  const page = await browser.newPage();
  await page.addInitScript({ path: RECORDER });
  await page.goto(url);
  await page.evaluate(`void window.startRecorder(() => ({
    video: document.getElementById('video'),
    dateMs: Date.parse(document.getElementById('date').dateTime) || undefined,
    latencyS: parseFloat(document.getElementById('latency').textContent) || 0,
  }))`);
  return new RecordedPage(page, 'watch page');
}

async function serveFiles(): Promise<Server> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const file = FILES[pathname];
    if (pathname === '/') response.setHeader('content-type', 'text/html').end(HTML);
    else if (file === undefined) response.writeHead(404).end();
    else {
      readFile(file).then(
        (body) => response.setHeader('content-type', 'text/javascript').end(body),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
