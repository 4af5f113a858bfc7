import { execFile } from 'node:child_process';
import { copyFile, mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TIMELINE_ORIGIN_TICKS } from '../../src/vod/encode/canonical-fragment.ts';
import type { SessionView } from '../../src/vod/session/session-view.ts';
import { FilmServer } from '../support/film-server.ts';
import {
  fetchBytes,
  fetchMediaPlaylist,
  fetchMultivariant,
  fetchText,
  type ListedSegment,
} from '../support/hls-client.ts';
import { readTimecodes } from '../support/timecode.ts';
import { differences } from '../support/vod-heads.ts';

let films: FilmServer;

beforeAll(async () => {
  films = await FilmServer.start();
});
afterAll(() => films.close());

function url(route: string): string {
  return films.server.app.httpUrl + route;
}

async function start(options: object = {}): Promise<SessionView> {
  const answer = await films.server.api('POST', 'vod', { source: 'media/film.mkv', ...options });
  expect(answer.status).toBe(200);
  return (await answer.json()) as SessionView;
}

/** Encoders started since the server did. */
async function encodersStarted(): Promise<number> {
  const answer = await fetch(url('/metrics'), { headers: { authorization: 'Bearer test-admin-token' } });
  return Number(/^laddercast_vod_encoders_started_total (\d+)/m.exec(await answer.text())?.[1]);
}

async function segmentsOf(id: string, rendition: string): Promise<readonly ListedSegment[]> {
  return (await fetchMediaPlaylist(url(`/vod/${id}/${rendition}/index.m3u8`)))?.segments ?? [];
}

async function fetchAll(segments: readonly ListedSegment[]): Promise<Buffer[]> {
  const media: Buffer[] = [];
  for (const segment of segments) media.push(await fetchBytes(segment.url));
  return media;
}

async function startOf(file: string): Promise<number> {
  const args = ['-v', 'error', '-show_entries', 'format=start_time', '-of', 'csv=p=0', file];
  const { stdout } = await promisify(execFile)('ffprobe', args);
  return Math.round(Number(stdout) * 90_000);
}

describe('a film with two sounds and three subtitle tracks', () => {
  it.each(['180p', 'original'])(
    'plays in %s with the frames of its source, and within the rate that is announced',
    async (rung) => {
      const { id, playlist } = await start();
      const multivariant = (await fetchMultivariant(url(playlist)))!;
      const { attributes } = multivariant.variants.find((variant) => variant.url.includes(`/${rung}/`))!;
      const segments = await segmentsOf(id, rung);
      const media = await fetchAll(segments);
      const init = await fetchBytes(segments[0]!.mapUrl);
      const film = path.join(films.server.folder, 'media', 'film.mkv');
      const source = await readTimecodes(film, await startOf(film));
      const played = await readTimecodes(Buffer.concat([init, ...media]), TIMELINE_ORIGIN_TICKS);
      expect(source).toHaveLength(48 * 24);
      expect(differences(played, source)).toEqual([]);
      const sound = await segmentsOf(id, 'audio-0');
      const sounds = await fetchAll(sound);
      const rates = media.map((bytes, n) => (bytes.length * 8) / segments[n]!.durationS);
      const soundRates = sounds.map((bytes, n) => (bytes.length * 8) / sound[n]!.durationS);
      expect(Math.max(...rates) + Math.max(...soundRates)).toBeLessThanOrEqual(Number(attributes['BANDWIDTH']));
      const lengthS = (list: readonly ListedSegment[]) => list.reduce((sum, { durationS }) => sum + durationS, 0);
      expect(lengthS(segments)).toBeCloseTo(48, 2);
      expect(Math.abs(lengthS(sound) - 48)).toBeLessThan(0.1);
    },
  );

  it('lists its sounds and subtitles by language', async () => {
    const { playlist, audio, subtitles } = await start();
    const { media } = (await fetchMultivariant(url(playlist)))!;
    const listed = media.map(({ attributes }) => ['TYPE', 'LANGUAGE', 'NAME', 'DEFAULT'].map((key) => attributes[key]));
    expect(listed).toEqual([
      ['AUDIO', 'en', 'English', 'YES'],
      ['AUDIO', 'de', 'German', 'NO'],
      ['SUBTITLES', 'en', 'English', 'NO'],
      ['SUBTITLES', 'de', 'German', 'NO'],
      ['SUBTITLES', 'fr', 'French', 'NO'],
    ]);
    expect(audio).toMatchObject([
      { index: 0, language: 'en' },
      { index: 1, language: 'de' },
    ]);
    expect(subtitles).toHaveLength(3);
    for (const { url: track } of media.slice(2)) {
      const { segments = [] } = (await fetchMediaPlaylist(track)) ?? {};
      expect(segments).toHaveLength((await segmentsOf((await start()).id, '180p')).length);
      expect(await fetchText(segments[5]!.url)).toMatch(
        /^WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n[^]*-->/,
      );
    }
  });

  it('is played a second time without any encoder, byte for byte the same', async () => {
    const first = await start();
    const before = await fetchAll(await segmentsOf(first.id, '180p'));
    const started = await encodersStarted();
    const second = await start({ user: 'another' });
    expect(second.id).not.toBe(first.id);
    const after = await fetchAll(await segmentsOf(second.id, '180p'));
    expect(Buffer.concat(after).equals(Buffer.concat(before))).toBe(true);
    expect(await encodersStarted()).toBe(started);
    expect(started).toBeGreaterThan(0);
  });

  it('goes on at its position after the server has started anew, from what was encoded before', async () => {
    const { id } = await start({ user: 'who comes back' });
    const [, , , , , sixth] = await segmentsOf(id, '180p');
    const before = await fetchBytes(sixth!.url);
    const told = await fetch(url(`/vod/${id}/heartbeat`), {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"positionMs":21500}' },
    });
    expect(await told.json()).toEqual({ positionMs: 21_500 });
    await films.server.restart();
    const answer = await fetch(url(`/vod/${id}`));
    expect(await answer.json()).toMatchObject({ id, positionMs: 21_500, title: 'media/film.mkv' });
    const [, , , , , again] = await segmentsOf(id, '180p');
    expect((await fetchBytes(again!.url)).equals(before)).toBe(true);
    expect(again!.url.split('?')[1]).toBe(sixth!.url.split('?')[1]);
    expect(await encodersStarted()).toBe(0);
    expect((await start({ user: 'who comes back' })).id).toBe(id);
  });
});

describe('what cannot be played', () => {
  const media = (name: string): string => path.join(films.server.folder, 'media', name);

  it('is a source that has changed since: 410, also after the server has started anew', async () => {
    await copyFile(media('film.mkv'), media('changing.mkv'));
    const { id } = await start({ source: 'media/changing.mkv' });
    const [segment] = await segmentsOf(id, 'original');
    await fetchBytes(segment!.url);
    await utimes(media('changing.mkv'), 1_000_000_000, 1_000_000_000);
    await films.server.restart();
    const answer = await fetch(url(`/vod/${id}/original/seg-0.m4s`));
    expect([answer.status, await answer.json()]).toMatchObject([
      410,
      { code: 'GONE', message: '"media/changing.mkv" has changed since this session began; start a new session' },
    ]);
    expect((await start({ source: 'media/changing.mkv' })).id).not.toBe(id);
  });

  it('is told at once, clearly, and without any word about files elsewhere', async () => {
    await writeFile(media('empty.mp4'), '');
    await writeFile(media('text.mp4'), 'this is no film\n'.repeat(1_000));
    await writeFile(
      media('list.mp4'),
      `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n${url('/x.ts')}\n#EXT-X-ENDLIST\n`,
    );
    await mkdir(media('folder.mp4'));
    await symlink('/etc/passwd', media('link.mp4'));
    const sources: [string, number, RegExp][] = [
      ['media/nothing.mp4', 404, /nothing\.mp4/],
      ['media/empty.mp4', 400, /empty/],
      ['media/text.mp4', 400, /cannot be read: .*moov atom not found/],
      ['media/list.mp4', 400, /cannot be read: .*not on whitelist|not whitelisted/i],
      ['media/folder.mp4', 400, /folder/],
      ['media/link.mp4', 404, /link\.mp4/],
      ['media/../ladder.toml', 403, /./],
      ['/etc/passwd', 403, /media root/],
      ['/etc/nothing', 403, /media root/],
      ['file:/etc/passwd', 400, /file/],
      ['concat:a|b', 400, /concat/],
      ['gopher://127.0.0.1/', 400, /gopher/],
      ['http://127.0.0.1:1/film.mp4', 403, /./],
      [`${films.server.app.httpUrl}/film.mp4`, 403, /./],
    ];
    const startedMs = performance.now();
    const answers = [];
    for (const [source] of sources) {
      const answer = await films.server.api('POST', 'vod', { source });
      answers.push([source, answer.status, ((await answer.json()) as { message: string }).message] as const);
    }
    expect(answers.map(([source, status]) => [source, status])).toEqual(
      sources.map(([source, status]) => [source, status]),
    );
    for (const [index, [, , message]] of answers.entries()) expect(message).toMatch(sources[index]![2]);
    expect(performance.now() - startedMs).toBeLessThan(15_000);
  });
});
