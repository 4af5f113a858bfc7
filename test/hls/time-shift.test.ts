import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LiveStore } from '../../src/cache/live-store.ts';
import { Archives } from '../../src/hls/archives.ts';
import type { HlsOptions } from '../../src/hls/hls-options.ts';
import type { MediaFile } from '../../src/hls/media-file.ts';
import { SequenceStore } from '../../src/hls/sequence-store.ts';
import type { Fragment } from '../../src/media/fragment.ts';
import { AppError } from '../../src/util/errors.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { audioFrames, audioInit, STREAM_START_MS, videoFrames, videoInit } from '../support/hls-fragments.ts';
import { HlsStage } from '../support/hls-stage.ts';
import { until } from '../support/poll.ts';

const MB = 1024 * 1024;

const high = videoInit({ width: 1280, height: 720, bytes: Buffer.from('720p') });
const low = videoInit({ width: 426, height: 240, codec: 'avc1.640015', bytes: Buffer.from('240p') });
const aac = audioInit();

const TRACKS = [
  ['720p', 'video'],
  ['240p', 'video'],
  ['audio', 'audio'],
] as const;

interface Disk {
  readonly store: LiveStore;
  readonly archives: Archives;
  readonly sequences: SequenceStore;
  readonly settings: () => { dvrMs: number; archive: boolean };
}

let folder: string;
let opened: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'time-shift-'));
});

afterEach(async () => {
  for (const each of opened.reverse()) await each.close();
  opened = [];
  await rm(folder, { recursive: true, force: true });
});

async function openDisk({ dvrMs = 60_000, archive = false, maxBroadcastBytes = 100 * MB } = {}): Promise<Disk> {
  const clock = new HlsStage().clock;
  const logger = silentLogger;
  const store = await LiveStore.open({
    root: path.join(folder, 'live'),
    maxBytes: 100 * MB,
    maxBroadcastBytes,
    logger,
  });
  const archives = await Archives.open({ root: path.join(folder, 'archives'), maxBytes: 100 * MB, clock, logger });
  const sequences = await SequenceStore.open({ file: path.join(folder, 'sequences.json'), clock, logger });
  opened.push(sequences, archives, store);
  return { store, archives, sequences, settings: () => ({ dvrMs, archive }) };
}

function openStage(disk: Partial<Disk>, options: Partial<HlsOptions> = {}): HlsStage {
  const stage = new HlsStage({ windowSegments: 6, ...options }, 'live/demo', disk);
  stage.open('source', high);
  stage.open('source', aac);
  stage.open('720p', high);
  stage.open('240p', low);
  stage.open('audio', aac);
  opened.push(stage.origin);
  return stage;
}

interface Span {
  readonly from?: number;
  readonly to: number;
  readonly epoch?: number;
}

function ladder(span: Span): Record<string, Fragment[]> {
  const audio = audioFrames({ init: aac, ...span });
  return {
    source: videoFrames({ init: high, ...span }),
    'source#audio': audio,
    '720p': videoFrames({ init: high, lateMs: 100, ...span }),
    '240p': videoFrames({ init: low, lateMs: 60, ...span }),
    audio,
  };
}

/** Plays as a publisher would: the disk has its time in between. */
async function play(stage: HlsStage, disk: Partial<Disk>, { from = 0, to, ...rest }: Span): Promise<void> {
  for (let at = from; at < to; at += 20) {
    stage.play(ladder({ from: at, to: Math.min(to, at + 20), ...rest }));
    await until('the disk', () => disk.store?.stats.queuedBytes === 0);
  }
}

function endPublisher(stage: HlsStage): void {
  stage.close('source', 'video');
  stage.close('source', 'audio');
  for (const [rendition, track] of TRACKS) stage.close(rendition, track);
}

const lines = (text: string, pattern: RegExp): string[] => text.split('\n').filter((line) => pattern.test(line));
const segments = (text: string): string[] => lines(text, /^(video|audio)-[a-z0-9]+-\d+\.m4s$/);
const numbers = (text: string): number[] => segments(text).map((name) => Number(/(\d+)\.m4s$/.exec(name)?.[1]));
const firstMsn = (text = ''): number => Number(/MEDIA-SEQUENCE:(\d+)/.exec(text)?.[1]);

function media(stage: HlsStage, rendition: string, track: 'video' | 'audio', name: string): MediaFile {
  const { answer } = stage.requestMedia(rendition, track, name);
  if (answer === undefined || answer instanceof AppError) throw answer ?? new Error(`no answer for ${name}`);
  return answer;
}

async function content(file: MediaFile): Promise<Buffer> {
  return 'bytes' in file ? file.bytes : readFile(file.path);
}

describe('time-shift', () => {
  it('lets viewers go back to what left memory: every listed segment of every rendition can be fetched', async () => {
    const disk = await openDisk({ dvrMs: 60_000 });
    const stage = openStage(disk);
    await play(stage, disk, { to: 100.5 });
    const heads = TRACKS.map(([rendition, track]) => {
      const text = stage.playlist(rendition, track)!;
      expect(segments(text)).toHaveLength(30);
      return firstMsn(text);
    });
    expect(new Set(heads).size).toBe(1);
    for (const [rendition, track] of TRACKS) {
      const kinds = new Set<string>();
      for (const name of segments(stage.playlist(rendition, track)!)) {
        const file = media(stage, rendition, track, name);
        kinds.add(Object.keys(file).sort().join());
        const bytes = await content(file);
        expect(bytes.toString('latin1', 4, 8)).toBe('moof');
        if ('size' in file) expect(bytes.length).toBe(file.size);
      }
      expect([...kinds].sort()).toEqual(['bytes,contentType', 'contentType,path,size']);
    }
  });

  it('keeps what was removed fetchable for as long as the list is, and then gives the disk back', async () => {
    const disk = await openDisk({ dvrMs: 30_000 });
    const stage = openStage(disk);
    await play(stage, disk, { to: 40.5 });
    const [removed] = segments(stage.playlist('240p')!);
    const fetch = (): MediaFile => media(stage, '240p', 'video', removed!);
    await play(stage, disk, { from: 40.5, to: 64.5 });
    expect(stage.playlist('240p')).not.toContain(removed);
    expect((await content(fetch())).length).toBeGreaterThan(0);
    await play(stage, disk, { from: 64.5, to: 84.5 });
    expect(fetch).toThrow('reload the playlist');
  });

  it('without time-shift writes nothing to disk', async () => {
    const disk = await openDisk({ dvrMs: 0 });
    const stage = openStage(disk);
    await play(stage, disk, { to: 40.5 });
    expect(disk.store.stats.bytes).toBe(0);
    expect(segments(stage.playlist('240p')!)).toHaveLength(6);
  });

  it('goes back less far when the broadcast reaches its limit, with what it lists still there', async () => {
    const disk = await openDisk({ dvrMs: 600_000, maxBroadcastBytes: 600_000 });
    const stage = openStage(disk);
    await play(stage, disk, { to: 100.5 });
    expect(disk.store.stats.evicted).toBeGreaterThan(0);
    const heads = TRACKS.map(([rendition, track]) => firstMsn(stage.playlist(rendition, track)));
    expect(Math.max(...heads) - Math.min(...heads)).toBeLessThanOrEqual(1);
    expect(Math.min(...heads)).toBeGreaterThan(5);
    for (const [rendition, track] of TRACKS) {
      const listed = segments(stage.playlist(rendition, track)!);
      expect(listed.length).toBeGreaterThan(6);
      for (const name of listed) await content(media(stage, rendition, track, name));
    }
  });

  it('goes on with what memory holds when the disk fails', async () => {
    const disk = await openDisk({ dvrMs: 600_000 });
    await rm(path.join(folder, 'live'), { recursive: true });
    await writeFile(path.join(folder, 'live'), 'in the way');
    const stage = openStage(disk);
    await play(stage, disk, { to: 60.5 });
    expect(disk.store.stats.failed).toBeGreaterThan(10);
    const listed = segments(stage.playlist('720p')!);
    expect(listed).toHaveLength(12);
    for (const name of listed) await content(media(stage, '720p', 'video', name));
  });

  it('gives the disk of an ended broadcast back after it was kept for a while', async () => {
    const disk = await openDisk({ dvrMs: 600_000 });
    const stage = openStage(disk, { retainEndedMs: 5_000 });
    await play(stage, disk, { to: 30.5 });
    endPublisher(stage);
    const [oldest] = segments(stage.playlist('240p')!);
    await content(media(stage, '240p', 'video', oldest!));
    expect(disk.store.stats.bytes).toBeGreaterThan(0);
    await until('the wait to begin', () => stage.clock.pending > 0);
    stage.clock.advance(5_000);
    await until('the disk to be free', () => disk.store.stats.bytes === 0);
    expect(stage.multivariant()).toBeUndefined();
  });

  it('hands the short window on to the children of the multivariant playlist', async () => {
    const disk = await openDisk();
    const stage = openStage(disk);
    await play(stage, disk, { to: 30.5 });
    const text = stage.origin.multivariant('live/demo', 'live').plain.toString();
    expect(text.match(/[\w/]+\.m3u8[^"\n]*/g)).toHaveLength(6);
    expect(text.match(/\.m3u8\?dvr=0/g)).toHaveLength(6);
    expect(stage.multivariant()).not.toContain('dvr=0');
  });
});

describe('I-frame playlists', () => {
  it('list the keyframe of each segment of the media playlist, with its numbers and dates', async () => {
    const disk = await openDisk();
    const stage = openStage(disk);
    await play(stage, disk, { to: 60.5 });
    const text = stage.origin.iframes('live/demo', '240p').plain.toString();
    const playlist = stage.playlist('240p')!;
    expect(text).toContain('#EXT-X-I-FRAMES-ONLY\n');
    expect(text).not.toMatch(/PLAYLIST-TYPE|ENDLIST|EXT-X-PART/);
    expect(segments(text)).toEqual(segments(playlist));
    const shared = /SEQUENCE|DATE|MAP|TARGETDURATION/;
    expect(lines(text, shared)).toEqual(lines(playlist, shared));
    const ranges = [...text.matchAll(/#EXT-X-BYTERANGE:(\d+)@0\n(.*)/g)];
    expect(ranges).toHaveLength(segments(playlist).length);
    for (const [, length, name] of ranges) {
      const bytes = await content(media(stage, '240p', 'video', name!));
      // The next fragment begins right behind the keyframe.
      expect(bytes.toString('latin1', Number(length) + 4, Number(length) + 8)).toBe('moof');
    }
    expect(stage.multivariant()).toMatch(
      /#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=\d+,AVERAGE-BANDWIDTH=\d+,CODECS="avc1.640015",RESOLUTION=426x240,URI="240p\/iframes.m3u8"/,
    );
  });

  it('slide and end with the broadcast, and have a short window too', async () => {
    const disk = await openDisk();
    const stage = openStage(disk);
    await play(stage, disk, { to: 60.5 });
    const short = stage.origin.iframes('live/demo', '240p', 'live').plain.toString();
    expect(segments(short)).toEqual(segments(stage.playlist('240p')!).slice(-6));
    expect(stage.origin.iframes('live/demo', '240p', 'live')).toBe(stage.origin.iframes('live/demo', '240p', 'live'));
    endPublisher(stage);
    expect(stage.origin.iframes('live/demo', '240p').plain.toString()).toMatch(/#EXT-X-ENDLIST\n$/);
  });

  it('are there for video only', async () => {
    const disk = await openDisk();
    const stage = openStage(disk);
    await play(stage, disk, { to: 20.5 });
    for (const rendition of ['audio', 'none', '../240p']) {
      expect(() => stage.origin.iframes('live/demo', rendition)).toThrow('offers no I-frames');
    }
    expect(() => stage.origin.iframes('live/none', '240p')).toThrow('offers no I-frames');
  });
});

describe('clips', () => {
  const at = (seconds: number): number => STREAM_START_MS + seconds * 1000;

  it('are VOD playlists of the segments that overlap a span, the same ones in all renditions', async () => {
    const disk = await openDisk();
    const stage = openStage(disk);
    await play(stage, disk, { to: 60.5 });
    const span = { startMs: at(21), endMs: at(27) };
    const texts = TRACKS.map(([rendition, track]) =>
      stage.origin.clip('live/demo', rendition, track, span).plain.toString(),
    );
    for (const text of texts) {
      expect(numbers(text)).toEqual([10, 11, 12, 13]);
      expect(text).toMatch(/#EXT-X-PLAYLIST-TYPE:VOD\n[^]*#EXT-X-ENDLIST\n$/);
      expect(text).toContain('#EXT-X-MEDIA-SEQUENCE:10\n');
    }
    const dates = new Map(TRACKS.map(([, track], index) => [track, lines(texts[index] ?? '', /DATE/)]));
    expect(dates.get('video')?.join()).toMatch(/20\.000Z/);
    expect(dates.get('audio')?.join()).toMatch(/20\.0\d\dZ/);
    expect(segments(stage.origin.clip('live/demo', '240p', 'iframes', span).plain.toString())).toHaveLength(4);
    const multivariant = stage.origin.clipMultivariant('live/demo', span).plain.toString();
    const query = '?start=2026-01-01T00%3A00%3A21.000Z&end=2026-01-01T00%3A00%3A27.000Z';
    expect(multivariant.match(/\.m3u8\?[^"\n]*/g)).toEqual(Array(6).fill(`.m3u8${query}`));
  });

  it('give a rendition that joined late gaps for what it missed', async () => {
    const disk = await openDisk();
    const stage = openStage(disk);
    await play(stage, disk, { to: 20 });
    const late = videoInit({ width: 640, height: 360 });
    stage.open('360p', late);
    stage.play({
      ...ladder({ from: 20, to: 40.5 }),
      '360p': videoFrames({ init: late, from: 20, to: 40.5, lateMs: 50 }),
    });
    const text = stage.origin.clip('live/demo', '360p', 'video', { startMs: at(15), endMs: at(25) }).plain.toString();
    expect(text).toContain('#EXT-X-MEDIA-SEQUENCE:7\n');
    expect(lines(text, /^gap-/)).toEqual(['gap-7.m4s', 'gap-8.m4s', 'gap-9.m4s']);
    expect(numbers(text)).toEqual([10, 11, 12]);
  });

  it.each([
    [20, 20, 'BAD_REQUEST'],
    [30, 20, 'BAD_REQUEST'],
    [NaN, 20, 'BAD_REQUEST'],
    [0, 7 * 3_600, 'BAD_REQUEST'],
    [-100, -50, 'NOT_FOUND'],
    [500, 600, 'NOT_FOUND'],
  ])('refuse from %d s to %d s', async (start, end, code) => {
    const disk = await openDisk();
    const stage = openStage(disk);
    await play(stage, disk, { to: 20.5 });
    const span = { startMs: at(start), endMs: at(end) };
    for (const attempt of [
      () => stage.origin.clipMultivariant('live/demo', span),
      () => stage.origin.clip('live/demo', '240p', 'video', span),
    ]) {
      expect(attempt).toThrow(expect.objectContaining({ code }) as Error);
    }
    expect(() => stage.origin.clipMultivariant('live/none', { startMs: at(1), endMs: at(2) })).toThrow('is not live');
  });
});

describe('keyframes', () => {
  it('are those of the smallest picture, from memory and from disk', async () => {
    const disk = await openDisk();
    const stage = openStage(disk);
    await play(stage, disk, { to: 60.5 });
    const keyframes = stage.origin.keyframes('live/demo');
    expect(keyframes.map(({ msn }) => msn)).toEqual(numbers(stage.playlist('240p')!));
    expect(keyframes.every(({ init }) => init.equals(low.bytes))).toBe(true);
    expect(keyframes[0]!.durationMs).toBe(2_000);
    expect(keyframes[0]!.programDateTimeMs).toBe(STREAM_START_MS + keyframes[0]!.msn * 2_000);
    const frames = await Promise.all(keyframes.map((keyframe) => keyframe.read()));
    expect(new Set(frames.map((frame) => frame!.length)).size).toBe(1);
    for (const frame of frames) expect(frame!.toString('latin1', 4, 8)).toBe('moof');
    expect(stage.origin.keyframes('live/none')).toEqual([]);
  });

  it('are nothing to read once they have gone', async () => {
    const disk = await openDisk({ dvrMs: 20_000 });
    const stage = openStage(disk);
    await play(stage, disk, { to: 30.5 });
    const [oldest] = stage.origin.keyframes('live/demo');
    await rm(path.join(folder, 'live'), { recursive: true });
    await play(stage, disk, { from: 30.5, to: 90.5 });
    expect(await oldest!.read()).toBeUndefined();
  });
});

describe('recordings of a broadcast', () => {
  it('hold every segment of every rendition from its beginning, as it was live', async () => {
    const disk = await openDisk({ dvrMs: 0, archive: true });
    const stage = openStage(disk);
    const live = new Map<string, Buffer>();
    for (let at = 0; at < 60; at += 10) {
      await play(stage, disk, { from: at, to: at + 10 });
      for (const [rendition, track] of TRACKS) {
        for (const name of segments(stage.playlist(rendition, track) ?? '')) {
          live.set(`${rendition}/${name}`, await content(media(stage, rendition, track, name)));
        }
      }
    }
    endPublisher(stage);
    const id = await until('the recording', () => stage.origin.describe('live/demo')[0]?.archive);
    expect(disk.archives.list()).toMatchObject([{ id, broadcast: 'live/demo' }]);
    expect(Math.abs(disk.archives.list()[0]!.durationMs - 60_000)).toBeLessThan(50);
    const names: string[] = [];
    for (const [rendition, track] of TRACKS) {
      const text = (await disk.archives.mediaPlaylist(id, rendition, track)).plain.toString();
      expect(text).toContain('#EXT-X-MEDIA-SEQUENCE:0\n');
      expect(numbers(text)).toEqual([...Array(30).keys()]);
      expect(text).not.toContain('EXT-X-GAP');
      names.push(...segments(text).map((name) => `${rendition}/${name}`));
    }
    for (const [name, bytes] of live) {
      expect(names).toContain(name);
      const [rendition, file] = name.split('/');
      const stored = await disk.archives.media(id, rendition!, file!);
      expect((await readFile(stored.path)).equals(bytes)).toBe(true);
    }
    const multivariant = (await disk.archives.multivariant(id)).plain.toString();
    expect(lines(multivariant, /^[^#].*m3u8$/)).toHaveLength(3);
    expect(lines(multivariant, /FRAME-RATE=30.000/)).toHaveLength(2);
  });

  it('state the discontinuity of a publisher that came back in every rendition', async () => {
    const disk = await openDisk({ archive: true });
    const stage = openStage(disk);
    await play(stage, disk, { to: 20 });
    await play(stage, disk, { from: 24, to: 40, epoch: 1 });
    endPublisher(stage);
    const id = await until('the recording', () => stage.origin.describe('live/demo')[0]?.archive);
    const shared = await Promise.all(
      TRACKS.map(async ([rendition, track]) => {
        const text = (await disk.archives.mediaPlaylist(id, rendition, track)).plain.toString();
        return lines(text, /SEQUENCE|DATE|DISCONT/).join('\n');
      }),
    );
    expect(new Set(shared).size).toBe(1);
    expect(shared[0]!.match(/#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:2/g)).toHaveLength(1);
  });

  it('are complete when the server is closed while the broadcast is live', async () => {
    const disk = await openDisk({ archive: true });
    const stage = openStage(disk);
    await play(stage, disk, { to: 21 });
    await stage.origin.close();
    expect(disk.archives.list()).toMatchObject([{ broadcast: 'live/demo', renditions: expect.any(Array) as string[] }]);
    expect(disk.archives.list()[0]!.durationMs).toBeGreaterThan(19_000);
  });
});

describe('numbers of a broadcast', () => {
  const heads = (stage: HlsStage): string[] =>
    TRACKS.map(([rendition, track]) => lines(stage.playlist(rendition, track)!, /SEQUENCE|DISCONT/).join('\n'));

  it('go on exactly after a clean restart, with a discontinuity', async () => {
    const first = await openDisk();
    const stage = openStage(first);
    await play(stage, first, { to: 20 });
    await stage.origin.close();
    await first.sequences.close();
    const second = await openDisk();
    const again = openStage(second);
    await play(again, second, { to: 10.5 });
    expect(new Set(heads(again)).size).toBe(1);
    expect(heads(again)[0]).toBe('#EXT-X-MEDIA-SEQUENCE:10\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-DISCONTINUITY');
  });

  it('go on above all that were used when the process was killed', async () => {
    const first = await openDisk();
    const stage = openStage(first);
    await play(stage, first, { to: 40 });
    await play(stage, first, { from: 44, to: 50, epoch: 1 });
    const used = Math.max(...numbers(stage.playlist('240p')!));
    // What a killed process leaves is what the file says now.
    await until(
      'the reservation',
      async () => (await readFile(path.join(folder, 'sequences.json'), 'utf8')).length > 0,
    );
    const second = await openDisk();
    const again = openStage(second);
    await play(again, second, { to: 10.5 });
    expect(new Set(heads(again)).size).toBe(1);
    expect(firstMsn(again.playlist('240p'))).toBeGreaterThan(used + 1);
    expect(Number(/DISCONTINUITY-SEQUENCE:(\d+)/.exec(heads(again)[0]!)?.[1])).toBeGreaterThan(1);
    expect(heads(again)[0]).toMatch(/#EXT-X-DISCONTINUITY$/);
  });
});
