import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { preEncode } from '../../src/pre-encode/pre-encode.ts';
import { FilmServer } from '../support/film-server.ts';
import { until } from '../support/poll.ts';

interface Cache {
  readonly totals: { readonly misses: number; readonly bytesWritten: number };
  readonly entries: readonly { readonly quality: string; readonly isComplete: boolean; readonly segments: number }[];
}

describe('pre-encode with a running server', () => {
  let films: FilmServer;

  beforeAll(async () => {
    films = await FilmServer.start();
    await writeFile(path.join(films.server.folder, 'media', 'text.mp4'), 'only text');
  });

  afterAll(() => films.close());

  async function run(files: string[], signal = new AbortController().signal) {
    const output = new PassThrough();
    const { httpUrl: baseUrl } = films.server.app;
    const code = await preEncode({ files, baseUrl, adminToken: 'test-admin-token', output, signal });
    return { code, text: String(output.read() ?? '') };
  }

  const cache = async (): Promise<Cache> => (await (await films.server.api('GET', 'cache')).json()) as Cache;
  const sessions = async (): Promise<unknown[]> => (await (await films.server.api('GET', 'vod')).json()) as unknown[];

  it('can be interrupted: its session ends, and what is encoded stays', async () => {
    const interrupt = new AbortController();
    const running = run(['media/film.mkv'], interrupt.signal);
    await until('the first segment', async () => (await cache()).entries.some(({ segments }) => segments > 0));
    interrupt.abort();
    expect(await running).toMatchObject({ code: 130 });
    expect(await sessions()).toEqual([]);
    expect((await cache()).entries).not.toEqual([]);
  });

  it('completes every rendition and the subtitles, so that a play encodes nothing', async () => {
    const { code, text } = await run([path.join(films.server.folder, 'media', 'text.mp4'), 'media/film.mkv']);
    expect(text).toMatch(/^text\.mp4: failed: ./m);
    expect(text).toMatch(/^film\.mkv: 100% \((\d+)\/\1 segments/m);
    expect(text).toMatch(/^film\.mkv: complete in \d+\.\d s/m);
    expect(code).toBe(1);
    const { entries, totals } = await cache();
    const complete = entries.filter(({ isComplete }) => isComplete).map(({ quality }) => quality);
    expect(complete.sort()).toEqual(['180p', 'audio-0', 'audio-1', 'original', 'subtitles']);

    await films.server.restart();
    expect(await run(['media/film.mkv'])).toMatchObject({ code: 0 });
    const again = (await cache()).totals;
    expect(again).toMatchObject({ misses: 0, bytesWritten: 0 });
    expect(totals.bytesWritten).toBeGreaterThan(0);
    expect(await sessions()).toEqual([]);
  });
});
