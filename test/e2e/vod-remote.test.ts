import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fetchBytes, fetchMediaPlaylist } from '../support/hls-client.ts';
import { LiveServer } from '../support/live-server.ts';
import { RangeServer } from '../support/range-server.ts';
import { readTimecodes, writeTimecodedFilm } from '../support/timecode.ts';

const RATE = 24;
const RUNG = '144p';

let folder: string;
let server: LiveServer;
const films = new Map<string, Buffer>();
beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'laddercast-vod-remote-'));
  for (const type of ['mp4', 'mkv', 'ts']) {
    const file = path.join(folder, `film.${type}`);
    await writeTimecodedFilm(file, { seconds: 12, sounds: ['440:stereo'], output: ['-g', '48'] });
    films.set(type, await fs.readFile(file));
  }
  server = await LiveServer.start({ settings: 'allowPrivate = ["127.0.0.1"]' });
});
afterAll(async () => {
  await server.close();
  await fs.rm(folder, { recursive: true });
});

let web: RangeServer;
beforeEach(async () => {
  web = await RangeServer.start(films.get('mp4')!);
});
afterEach(() => web.close());

/** Starts a session and answers the address of one rung's playlist. */
async function play(source: string): Promise<string> {
  const answer = await server.api('POST', 'vod', { source });
  expect(answer.status).toBe(200);
  const { playlist } = (await answer.json()) as { playlist: string };
  return new URL(`${RUNG}/index.m3u8`, new URL(playlist, server.app.httpUrl)).href;
}

async function refusal(source: string): Promise<{ status: number; text: string }> {
  const answer = await server.api('POST', 'vod', { source });
  return { status: answer.status, text: await answer.text() };
}

/** The numbers of the frames in one segment. */
async function numbersIn(playlist: string, index: number): Promise<number[]> {
  const { segments } = (await fetchMediaPlaylist(playlist))!;
  const { mapUrl, url } = segments.at(index)!;
  const media = Buffer.concat([await fetchBytes(mapUrl), await fetchBytes(url)]);
  return (await readTimecodes(media)).map(({ number }) => number);
}

function run(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

describe('files of web servers', () => {
  it.each(['mp4', 'mkv', 'ts'])('play from any place: %s', async (type) => {
    web.replace(films.get(type)!, '"1"');
    const playlist = await play(web.url(`/film.${type}?token=secret`));
    const { segments } = (await fetchMediaPlaylist(playlist))!;
    const starts = segments.map((_, index) =>
      segments.slice(0, index).reduce((sum, { durationS }) => sum + durationS, 0),
    );
    for (const index of [segments.length - 2, 0]) {
      const [first, next] = [starts[index]!, starts[index + 1]!].map((seconds) => Math.round(seconds * RATE));
      expect(await numbersIn(playlist, index)).toEqual(run(first!, next!));
    }
    expect(web.seen.every(({ range }) => range !== undefined)).toBe(true);
    const seen = web.seen.length;
    await numbersIn(playlist, 0);
    expect(web.seen).toHaveLength(seen);
  });

  it('play from what is encoded while their server is gone, and else fail with an answer', async () => {
    const firstSegment = async (source: string): Promise<string> =>
      (await fetchMediaPlaylist(await play(source)))!.segments[0]!.url;
    const address = web.url('/other.mp4');
    const [encoded, other] = [await firstSegment(web.url('/encoded.mp4')), await firstSegment(address)];
    const bytes = await fetchBytes(encoded);
    web.trick = (_request, response) => response.destroy();
    expect(Buffer.compare(await fetchBytes(encoded), bytes)).toBe(0);
    const failed = await fetch(other);
    expect(failed.status).toBeGreaterThanOrEqual(500);
    // The source is named as it was asked for; how it is read is nobody's business.
    expect((await failed.text()).replaceAll(address, '')).not.toContain('127.0.0.1');
  });

  it('are never mixed with what has taken their place', async () => {
    const playlist = await play(web.url());
    const other = path.join(folder, 'other.mp4');
    await writeTimecodedFilm(other, { seconds: 20, rate: '25', output: ['-g', '50'] });
    web.replace(await fs.readFile(other), '"another"');
    const { segments } = (await fetchMediaPlaylist(playlist))!;
    expect((await fetch(segments[0]!.url)).status).toBeGreaterThanOrEqual(400);
    // Asked for anew, it is the new one that plays.
    expect(await numbersIn(await play(web.url()), 0)).toEqual(run(0, 50));
  });

  it('are refused where the address is not public, and no request is sent', async () => {
    const inner = await RangeServer.start(films.get('mp4')!);
    const strict = ['127.0.0.2', '[::1]', '[::ffff:127.0.0.2]', '0', '169.254.169.254', 'localhost.', '0x7f000003'];
    for (const host of strict) {
      const { status, text } = await refusal(inner.url('/film.mp4', host));
      expect([403, 503], `${host}: ${text}`).toContain(status);
    }
    web.trick = (_request, response) => response.writeHead(302, { location: inner.url('/', '127.0.0.2') }).end();
    expect(await refusal(web.url())).toMatchObject({ status: 503 });
    expect(inner.seen).toEqual([]);
    await inner.close();
  });

  it('are refused where their server serves no parts, or no film', async () => {
    web.trick = (_request, response) => response.writeHead(200).end(films.get('mp4'));
    expect((await refusal(web.url('/whole.mp4'))).text).toMatch(/parts of files/);
    web.trick = () => false;
    web.replace(Buffer.from(`ffconcat version 1.0\nfile '${web.url('/bait')}'\n`), '"list"');
    const { status, text } = await refusal(web.url('/list.mp4?token=secret'));
    expect(status).toBe(400);
    expect(text).not.toMatch(/secret/);
    expect(web.seen.map(({ path: asked }) => asked)).not.toContain('/bait');
  });
});
