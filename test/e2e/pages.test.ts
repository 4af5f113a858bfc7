import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { listenHttp } from '../../src/http/server.ts';
import { AppError } from '../../src/util/errors.ts';
import { launchBrowser } from '../support/browser.ts';
import { ADMIN_TOKEN, HttpFixture } from '../support/http-fixture.ts';

let browser: Browser;
let fixture: HttpFixture;
let folder: string;
let base: string;
let page: Page;
let problems: string[];
let ffmpeg: ChildProcess | undefined;
let kicked: string[];
let archives: string[];

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-pages-'));
  fixture = await HttpFixture.create({
    playback: (app) =>
      void app.get<{ Params: { file: string } }>('/hls/live/demo/:file', async ({ params }, reply) => {
        const file = path.join(folder, path.basename(params.file));
        const body = await readFile(file).catch(() => {
          throw new AppError('NOT_FOUND', 'not there');
        });
        return reply.type(file.endsWith('.m3u8') ? 'application/vnd.apple.mpegurl' : 'video/mp4').send(body);
      }),
    publishers: {
      list: () => [],
      waiting: () => [{ broadcast: 'live/demo', sinceMs: 0, untilMs: 60_000, slate: false }],
      kick: (broadcast) => kicked.push(broadcast) > 0,
    },
    archives: {
      list: () => archives.map(recording),
      delete: (id) => {
        archives = archives.filter((known) => known !== id);
        return Promise.resolve(true);
      },
    },
    origin: {
      describe: () => [
        {
          broadcast: 'live/demo',
          renditions: [{ name: '720p', state: 'playable', codecs: [], averageKbps: 2400 }],
          warnings: ['<img src=x onerror=alert(1)> set the keyframe interval to 2 s'],
        },
      ],
    },
  });
  const { port } = await listenHttp(fixture.app, { host: '127.0.0.1', port: 0 });
  base = `http://127.0.0.1:${port}`;
  browser = await launchBrowser();
});

afterAll(async () => {
  ffmpeg?.kill('SIGKILL');
  await browser.close();
  await fixture.close();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  problems = [];
  kicked = [];
  archives = ['live.demo.20260101T000000Z', 'live.demo.20260102T000000Z'];
  page = await browser.newPage();
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy|Refused/.test(message.text())) problems.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(base) && !/^(blob|data):/.test(request.url())) problems.push(request.url());
  });
  return () => page.close();
});

function recording(id: string) {
  const startedAt = '2026-01-01T00:00:00.000Z';
  const playlist = `/hls/live/demo/archives/${id}/index.m3u8`;
  return {
    id,
    broadcast: 'live/demo',
    startedAt,
    durationMs: 3_661_000,
    bytes: 2_500_000,
    renditions: ['720p'],
    playlist,
  };
}

/** Waits until an element reads as expected. */
const text = (selector: string, expected: RegExp) =>
  page.locator(selector).filter({ hasText: expected }).waitFor({ state: 'attached' });

/** Waits until there are this many elements. */
const count = (selector: string, expected: number) =>
  vi.waitFor(async () => expect(await page.locator(selector).count()).toBe(expected), { timeout: 20_000 });

interface Video {
  readonly videoHeight: number;
  readonly muted: boolean;
}

const video = <T>(read: (element: Video) => T): Promise<T> => page.locator('#video').evaluate(read as never);

/** Writes a live stream of some seconds with two qualities, as any HLS server would have it. */
function stream(seconds: number): void {
  const input = ['-re', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=30', '-re', '-f', 'lavfi', '-i', 'sine=440'];
  const maps = ['-map', '0:v', '-map', '0:v', '-map', '1:a', '-map', '1:a', '-t', String(seconds)];
  const video = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '30'];
  const sizes = ['-s:v:0', '320x180', '-b:v:0', '400k', '-s:v:1', '192x108', '-b:v:1', '100k', '-c:a', 'aac'];
  const hls = ['-f', 'hls', '-hls_time', '1', '-hls_list_size', '8', '-hls_segment_type', 'fmp4'];
  const names = ['-master_pl_name', 'index.m3u8', '-var_stream_map', 'v:0,a:0 v:1,a:1', path.join(folder, 's%v.m3u8')];
  const args = [
    '-hide_banner',
    '-nostdin',
    '-loglevel',
    'error',
    ...input,
    ...maps,
    ...video,
    ...sizes,
    ...hls,
    ...names,
  ];
  ffmpeg = spawn('ffmpeg', args, { stdio: 'ignore' });
}

describe('the watch page', () => {
  it('waits for the stream, plays it muted in the chosen quality, unmutes, and tells when it has ended', async () => {
    await page.goto(`${base}/watch/live/demo`);
    await text('#message', /not started yet/);
    stream(14);
    await page.waitForSelector('body[data-state=playing]');
    expect(await page.textContent('#title')).toBe('live/demo');
    await count('#quality option', 3);
    expect(await page.locator('#quality option').allTextContents()).toEqual([
      expect.stringMatching(/^Automatic/),
      expect.stringMatching(/^180p/),
      expect.stringMatching(/^108p/),
    ]);
    for (const [index, height] of [
      [2, 108],
      [1, 180],
    ] as const) {
      await page.selectOption('#quality', { index });
      await vi.waitFor(async () => expect(await video(({ videoHeight }) => videoHeight)).toBe(height), {
        timeout: 20_000,
      });
    }
    expect(await video(({ muted }) => muted)).toBe(true);
    await page.click('#unmute');
    expect(await video(({ muted }) => muted)).toBe(false);
    await text('#latency', /behind live/);
    await text('#message', /has ended/);
    expect(await page.getAttribute('body', 'data-state')).toBe('waiting');
    expect(problems).toEqual([]);
  });
});

describe('the dashboard', () => {
  it('asks for the token, shows broadcasts as text, and adds and removes rungs', async () => {
    await page.goto(base);
    await page.fill('#sign-in input[name=token]', 'wrong-token');
    await page.click('#sign-in button');
    await text('#sign-in .problem', /not the right one/);
    await page.fill('#sign-in input[name=token]', ADMIN_TOKEN);
    await page.click('#sign-in button');
    await page.waitForSelector('#rungs tr');
    expect(await page.textContent('#broadcasts')).toContain('<img src=x onerror=alert(1)>');

    await page.fill('#add-rung input[name=name]', '360p');
    await page.fill('#add-rung input[name=width]', '640');
    await page.click('#add-rung button');
    await text('#add-rung .problem', /videoBitrateKbps/);
    await page.fill('#add-rung input[name=videoBitrateKbps]', '700');
    await page.click('#add-rung button');
    await count('#rungs tr', 3);
    expect(fixture.deps.ladders.renditionsFor('live/x')).toContainEqual({
      name: '360p',
      width: 640,
      videoBitrateKbps: 700,
    });

    page.on('dialog', (dialog) => void dialog.accept());
    await page.click('#rungs tr:nth-child(2) button');
    await count('#rungs tr', 2);
    expect(fixture.deps.ladders.renditionsFor('live/x').map(({ name }) => name)).toEqual(['720p', 'audio']);
    expect(problems).toEqual([]);
  });
});

describe('the dashboard', () => {
  it('ends a broadcast that waits, and lists and deletes recordings', async () => {
    await page.addInitScript(`sessionStorage.setItem('laddercast-admin-token', '${ADMIN_TOKEN}')`);
    page.on('dialog', (dialog) => void dialog.accept());
    await page.goto(base);
    await text('#broadcasts .tag', /^waiting$/);
    await page.getByRole('button', { name: 'End' }).click();
    await vi.waitFor(() => expect(kicked).toEqual(['live/demo']));
    await text('#archives', /live\/demo.*1:01:01.*2\.5 MB/);
    const links = page.locator('#archives tr:first-child a');
    expect(await links.first().getAttribute('href')).toBe('/watch/live/demo?archive=live.demo.20260101T000000Z');
    await page.locator('#archives tr:first-child button').click();
    await count('#archives tr', 1);
    expect(archives).toEqual(['live.demo.20260102T000000Z']);
    expect(problems).toEqual([]);
  });
});

describe('the API page', () => {
  it('shows every resource and loads nothing from elsewhere', async () => {
    await page.goto(`${base}/docs/`);
    await page.getByText('/api/v1/renditions/{name}').waitFor();
    expect(problems).toEqual([]);
  });
});
