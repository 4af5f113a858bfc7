import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DiskBudget } from '../../../src/cache/disk-budget.ts';
import { SegmentCache } from '../../../src/cache/segment-cache.ts';
import { type FfmpegBinary, inspectFfmpeg } from '../../../src/ffmpeg/ffmpeg-binary.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { silentLogger } from '../../../src/util/logger.ts';
import type { MediaSource } from '../../../src/vod/source/media-source.ts';
import type { Title } from '../../../src/vod/source/title.ts';
import { SubtitleStore } from '../../../src/vod/subtitles/subtitle-store.ts';
import { readWebVtt } from '../../../src/vod/subtitles/webvtt-reader.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/poll.ts';
import {
  cueEachSecond,
  plainSource,
  subRip,
  subtitledTitle,
  textTrack,
  writeFilm,
} from '../../support/subtitled-film.ts';

const SECONDS = 130;
const never = new AbortController().signal;
let binary: FfmpegBinary;
let films: string;
let folder: string;
let cache: SegmentCache;
let store: SubtitleStore;
let title: Title;
/** How often ffmpeg opened a source. */
let opened: number;

beforeAll(async () => {
  binary = await inspectFfmpeg('ffmpeg');
  films = await mkdtemp(path.join(os.tmpdir(), 'laddercast-films-'));
  await writeFilm(path.join(films, 'film.mkv'), {
    seconds: SECONDS,
    tracks: [{ file: 'a.srt', content: subRip(cueEachSecond('inside', SECONDS)), codec: 'copy' }],
  });
});

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-subtitles-'));
  const sidecar = path.join(films, 'film.de.srt');
  await writeFile(sidecar, subRip(cueEachSecond('beside', SECONDS)));
  const source = counted(await plainSource(path.join(films, 'film.mkv')));
  title = subtitledTitle(source, {
    subtitles: [textTrack('subrip', 1), textTrack('subrip', sidecar)],
    seconds: SECONDS,
  });
  opened = 0;
  await open();
});

afterEach(async () => {
  await close();
  await rm(folder, { recursive: true, force: true });
});

afterAll(() => rm(films, { recursive: true, force: true }));

async function open(clock = systemClock): Promise<void> {
  const budget = await DiskBudget.open({ folder, size: 1 });
  cache = await SegmentCache.open({ root: path.join(folder, 'cache'), budget, clock, logger: silentLogger });
  store = await SubtitleStore.open({
    cache,
    binary,
    folder: path.join(folder, 'scratch'),
    clock,
    logger: silentLogger,
  });
}

async function close(): Promise<void> {
  await store.close();
  await cache.close();
}

function counted(source: MediaSource): MediaSource {
  return {
    ...source,
    openInput: () => {
      opened += 1;
      return source.openInput();
    },
  };
}

/** A source whose first reader, the pass, waits until the promise has resolved. */
function heldUp(source: MediaSource, pass: Promise<void>): MediaSource {
  return {
    ...source,
    openInput: async () => {
      opened += 1;
      if (opened === 1) await pass;
      return source.openInput();
    },
  };
}

const texts = async (track: number, index: number, of = title): Promise<string[]> =>
  readWebVtt((await store.segment(of, track, index, never)).toString()).map(({ text }) => text);

const entries = () => cache.report().entries.filter(({ format }) => format === 'subtitles');

describe('subtitles of a title', () => {
  it('are extracted once, segment by segment the same cues as the source, and survive a restart', async () => {
    await store.complete(title, never);
    expect(store.report(title)).toEqual([
      { track: 0, state: 'ready', cues: SECONDS },
      { track: 1, state: 'ready', cues: SECONDS },
    ]);
    for (const [track, prefix] of ['inside', 'beside'].entries()) {
      const all: string[] = [];
      for (let index = 0; index < title.plan.boundaries.length - 1; index += 1)
        all.push(...(await texts(track, index)));
      expect(all).toEqual(Array.from({ length: SECONDS }, (_, second) => `${prefix} ${second}`));
    }
    const first = await store.segment(title, 0, 0, never);
    expect(first.toString()).toMatch(/^WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\n00:00:00.050 --> /);
    expect(opened).toBe(1);
    expect(entries()).toMatchObject([{ isComplete: true, segments: 2, isPinned: true }]);

    await close();
    await open();
    await store.complete(title, never);
    expect(await store.segment(title, 0, 0, never)).toEqual(first);
    expect(await texts(1, 7)).toEqual(['beside 28', 'beside 29', 'beside 30', 'beside 31']);
    expect(opened).toBe(1);
  });

  it('come from a part of the file while the pass over it is under way, a minute at a time', async () => {
    let go = (): void => undefined;
    const pass = new Promise<void>((resolve) => (go = resolve));
    const slow = { ...title, source: heldUp(await plainSource(path.join(films, 'film.mkv')), pass) };
    store.ensure(slow);
    await until('the pass to begin', () => opened === 1);
    expect(await texts(0, 20, slow)).toEqual(['inside 80', 'inside 81', 'inside 82', 'inside 83']);
    expect(await texts(0, 21, slow)).toEqual(['inside 84', 'inside 85', 'inside 86', 'inside 87']);
    expect(opened).toBe(2);
    expect(await texts(1, 20, slow)).toEqual(['beside 80', 'beside 81', 'beside 82', 'beside 83']);
    expect(store.report(slow).map(({ state }) => state)).toEqual(['pending', 'ready']);
    go();
    await store.complete(slow, never);
    expect(await texts(0, 21, slow)).toEqual(['inside 84', 'inside 85', 'inside 86', 'inside 87']);
    expect(opened).toBe(2);
  });

  it('are made anew when a file beside the film, or the entry in the cache, is another one', async () => {
    await store.complete(title, never);
    await close();
    const root = path.join(folder, 'cache');
    const [key] = (await readdir(root)).filter((name) => /^[0-9a-f]{16}$/.test(name));
    const file = path.join(root, key!, 'track-0.vtt');
    const { size } = await stat(file);
    await writeFile(file, (await readFile(file, 'utf8')).replace('inside 3\n', 'forged 3'.padEnd(9, '\n')));
    expect((await stat(file)).size).toBe(size);
    await open();
    await store.complete(title, never);
    expect(await texts(0, 0)).toEqual(['inside 0', 'inside 1', 'inside 2', 'inside 3']);
    expect(opened).toBe(2);
    await close();

    await writeFile(title.subtitles[1]!.sidecarPath!, subRip(cueEachSecond('changed', SECONDS)));
    await open();
    await store.complete(title, never);
    expect(await texts(1, 0)).toEqual(['changed 0', 'changed 1', 'changed 2', 'changed 3']);
  });

  it('leave the gate open when a track cannot be extracted: it is silent, with the reason in the report', async () => {
    const broken = {
      ...title,
      subtitles: [textTrack('subrip', 1), textTrack('subrip', 9), textTrack('ass', '/nowhere.ass')],
    };
    await store.complete(broken, never);
    expect(store.report(broken)).toMatchObject([
      { state: 'ready' },
      { state: 'failed', reason: expect.stringMatching(/./) as string },
      { state: 'failed', reason: 'the subtitle file cannot be read: ENOENT' },
    ]);
    expect(await texts(0, 1, broken)).toHaveLength(4);
    for (const track of [1, 2])
      expect((await store.segment(broken, track, 1, never)).toString()).toMatch(/MPEGTS:900000\n\n$/);
    expect(entries()).toEqual([]);
  });

  it('refuse what there is not, and end with whoever waits, and with the server', async () => {
    for (const [track, index] of [
      [2, 0],
      [-1, 0],
      [0, 33],
      [0, -1],
      [0, 0.5],
    ] as const) {
      await expect(store.segment(title, track, index, never)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    const aborts = new AbortController();
    const waiting = store.complete(title, aborts.signal);
    aborts.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'GONE' });
    const last = store.complete({ ...title, durationTicks: 1 }, never);
    const [ended] = await Promise.allSettled([last, store.close()]);
    expect(ended).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE' } });
    await expect(store.segment(title, 0, 0, never)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('of no more than 500 titles are in use at a time', async () => {
    let go = (): void => undefined;
    const pass = new Promise<void>((resolve) => (go = resolve));
    const waits = { ...title.source, openInput: () => pass.then(() => Promise.reject(new Error('never mind'))) };
    const subtitles = [textTrack('subrip', 1)];
    const used = Array.from({ length: 500 }, (_, index) =>
      store.complete({ ...title, source: { ...waits, identity: `film ${index}` }, subtitles }, never),
    );
    await expect(store.complete(title, never)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    go();
    await Promise.all(used);
    await store.complete(title, never);
  });

  it('of a remote title are not loaded before somebody wants them', async () => {
    const remote = {
      ...title,
      source: { ...title.source, kind: 'http' as const },
      subtitles: [textTrack('subrip', 1)],
    };
    store.ensure(remote);
    expect(opened).toBe(0);
    expect(await texts(0, 0, remote)).toHaveLength(4);
    expect(opened).toBeGreaterThan(0);
  });

  it('leave the memory and are no longer pinned when nobody asked for them in ten minutes', async () => {
    await close();
    const clock = new ManualClock();
    await open(clock);
    await store.complete(title, never);
    clock.advance(9 * 60_000);
    expect(entries()).toMatchObject([{ isPinned: true }]);
    clock.advance(2 * 60_000);
    expect(store.report(title)).toEqual([]);
    await until('the pin to go', () => entries()[0]?.isPinned === false);
  });

  it('cost nothing if there are none', async () => {
    const silent = { ...title, subtitles: [] };
    await store.complete(silent, never);
    expect(opened).toBe(0);
    expect(entries()).toEqual([]);
  });
});
