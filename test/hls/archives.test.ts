import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Archives } from '../../src/hls/archives.ts';
import type { Recording } from '../../src/hls/recording.ts';
import type { VodRow } from '../../src/hls/vod-row.ts';
import { type Logger, silentLogger } from '../../src/util/logger.ts';
import { audioInit, videoInit } from '../support/hls-fragments.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/poll.ts';

const START_MS = Date.UTC(2026, 10, 21, 7);
const FORMAT = { targetDurationSeconds: 3, sharedAudioRendition: 'audio' };
const VIDEO = videoInit({ width: 426, height: 240 });
const AUDIO = audioInit();

let folder: string;
let root: string;
let warnings: string[];
let clock: ManualClock;
const logger: Logger = { ...silentLogger, warn: (_, message) => void warnings.push(message) };

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'archives-'));
  root = path.join(folder, 'archives');
  warnings = [];
  clock = new ManualClock(START_MS);
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (maxBytes = 1e9): Promise<Archives> => Archives.open({ root, maxBytes, clock, logger });

function row(kind: 'video' | 'audio', msn: number, overrides: Partial<VodRow> = {}): VodRow {
  return {
    msn,
    name: `${kind}-t-${msn}.m4s`,
    initName: `${kind}-t-init-0.mp4`,
    durationMs: 2_000,
    gap: false,
    discontinuity: false,
    discontinuitySequence: 0,
    programDateTimeMs: START_MS + 2_000 * msn,
    pdtAnchor: false,
    bytes: 1_000,
    keyframeBytes: kind === 'video' ? 100 : 0,
    ...overrides,
  };
}

/** Records segments, each from a file of its own content. */
async function feed(
  recording: Recording,
  rendition: string,
  rows: readonly VodRow[],
  track: 'video' | 'audio' = 'video',
): Promise<void> {
  await mkdir(path.join(folder, 'live'), { recursive: true });
  for (const each of rows) {
    const file = path.join(folder, 'live', `${rendition}-${each.name}`);
    await writeFile(file, Buffer.alloc(each.bytes, each.msn));
    const facts = { init: track === 'video' ? VIDEO : AUDIO, frameRate: track === 'video' ? 30 : undefined };
    recording.add({ rendition, track, row: each, ...facts, file: Promise.resolve(file) });
  }
}

const rows = (kind: 'video' | 'audio', first: number, last: number): VodRow[] =>
  Array.from({ length: last - first + 1 }, (_, index) => row(kind, first + index));

/** A recording of two tracks, ten segments each. */
async function record(archives: Archives, broadcast = 'live/demo'): Promise<Recording> {
  const recording = archives.record(broadcast, FORMAT);
  await feed(recording, '240p', rows('video', 5, 14));
  await feed(recording, 'audio', rows('audio', 5, 14), 'audio');
  return recording;
}

describe('Archives', () => {
  it('lists what was recorded once it is finished, also after a restart', async () => {
    const archives = await open();
    const recording = await record(archives);
    expect(archives.list()).toEqual([]);
    const info = await archives.finish(recording);
    expect(info).toEqual({
      id: 'live.demo.20261121T070000Z',
      broadcast: 'live/demo',
      startedAt: '2026-11-21T07:00:10.000Z',
      durationMs: 20_000,
      bytes: 20_000,
      renditions: ['240p', 'audio'],
      playlist: '/hls/live/demo/archives/live.demo.20261121T070000Z/index.m3u8',
    });
    expect(archives.list()).toEqual([info]);
    expect(archives.bytes).toBe(20_000);
    const again = await open();
    expect(again.list()).toEqual([info]);
    expect(again.bytes).toBe(20_000);
  });

  it('plays what it recorded: VOD playlists over the same files', async () => {
    const archives = await open();
    const { id } = (await archives.finish(await record(archives)))!;
    expect((await archives.multivariant(id)).plain.toString()).toMatchInlineSnapshot(`
      "#EXTM3U
      #EXT-X-VERSION:8
      #EXT-X-INDEPENDENT-SEGMENTS
      #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/audio.m3u8"
      #EXT-X-STREAM-INF:BANDWIDTH=8000,AVERAGE-BANDWIDTH=8000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=426x240,FRAME-RATE=30.000,AUDIO="audio",CLOSED-CAPTIONS=NONE
      240p/video.m3u8
      #EXT-X-STREAM-INF:BANDWIDTH=4000,AVERAGE-BANDWIDTH=4000,CODECS="mp4a.40.2",CLOSED-CAPTIONS=NONE
      audio/audio.m3u8
      #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=400,AVERAGE-BANDWIDTH=400,CODECS="avc1.64001f",RESOLUTION=426x240,URI="240p/iframes.m3u8"
      "
    `);
    const playlist = (await archives.mediaPlaylist(id, '240p', 'video')).plain.toString();
    expect(playlist.split('\n').slice(0, 12)).toEqual([
      '#EXTM3U',
      '#EXT-X-VERSION:8',
      '#EXT-X-TARGETDURATION:3',
      '#EXT-X-MEDIA-SEQUENCE:5',
      '#EXT-X-DISCONTINUITY-SEQUENCE:0',
      '#EXT-X-INDEPENDENT-SEGMENTS',
      '#EXT-X-PLAYLIST-TYPE:VOD',
      '#EXT-X-MAP:URI="video-t-init-0.mp4"',
      '#EXT-X-PROGRAM-DATE-TIME:2026-11-21T07:00:10.000Z',
      '#EXTINF:2.00000,',
      'video-t-5.m4s',
      '#EXTINF:2.00000,',
    ]);
    expect(playlist.match(/#EXTINF/g)).toHaveLength(10);
    expect(playlist).toMatch(/#EXT-X-ENDLIST\n$/);
    expect((await archives.iframes(id, '240p')).plain.toString()).toContain(
      '#EXTINF:2.00000,\n#EXT-X-BYTERANGE:100@0\nvideo-t-14.m4s\n#EXT-X-ENDLIST\n',
    );
    const file = await archives.media(id, '240p', 'video-t-7.m4s');
    expect(file).toMatchObject({ size: 1_000, contentType: 'video/mp4' });
    expect(await readFile(file.path)).toEqual(Buffer.alloc(1_000, 7));
    expect((await archives.media(id, 'audio', 'audio-t-init-0.mp4')).size).toBe(AUDIO.bytes.length);
  });

  it('finishes a recording once, however often it is asked to', async () => {
    const archives = await open();
    const recording = await record(archives);
    const [info, again] = await Promise.all([archives.finish(recording), archives.finish(recording)]);
    expect(again).toEqual(info);
    await archives.close();
    expect(await archives.finish(recording)).toEqual(info);
    const index = await readFile(path.join(root, recording.id, 'index.jsonl'), 'utf8');
    expect(index.match(/"type":"end"/g)).toHaveLength(1);
    expect(warnings).toEqual([]);
  });

  it('needs the live files no longer', async () => {
    const archives = await open();
    const { id } = (await archives.finish(await record(archives)))!;
    await rm(path.join(folder, 'live'), { recursive: true });
    expect((await readFile((await archives.media(id, '240p', 'video-t-5.m4s')).path)).length).toBe(1_000);
  });

  it('gives all renditions the same segments, with gaps where one was not there', async () => {
    const archives = await open();
    const recording = await record(archives);
    await feed(recording, '720p', [
      ...rows('video', 8, 9),
      row('video', 10, { gap: true, bytes: 0, keyframeBytes: 0 }),
      ...rows('video', 11, 12),
    ]);
    const { id } = (await archives.finish(recording))!;
    const playlist = (await archives.mediaPlaylist(id, '720p', 'video')).plain.toString();
    const gaps = [...playlist.matchAll(/#EXT-X-GAP\n#EXTINF:2.00000,\n(\S+)/g)].map(([, uri]) => uri);
    expect(gaps).toEqual([5, 6, 7].map((msn) => `gap-${msn}.m4s`).concat('video-t-10.m4s', 'gap-13.m4s', 'gap-14.m4s'));
    expect(playlist).toContain('#EXT-X-MEDIA-SEQUENCE:5\n');
    expect(playlist.match(/#EXTINF/g)).toHaveLength(10);
    expect(playlist.match(/#EXT-X-MAP/g)).toHaveLength(1);
  });

  it('states a gap where the live file was never written, or went before its time', async () => {
    const archives = await open();
    const recording = archives.record('live/demo', FORMAT);
    await feed(recording, '240p', rows('video', 0, 1));
    const facts = { rendition: '240p', track: 'video', init: VIDEO, frameRate: 30 } as const;
    recording.add({ ...facts, row: row('video', 2), file: Promise.resolve(undefined) });
    recording.add({ ...facts, row: row('video', 3), file: Promise.resolve(path.join(folder, 'gone')) });
    await feed(recording, '240p', rows('video', 4, 4));
    const info = (await archives.finish(recording))!;
    expect(info.bytes).toBe(3_000);
    const playlist = (await archives.mediaPlaylist(info.id, '240p', 'video')).plain.toString();
    expect(playlist.match(/#EXT-X-GAP\n.*\n.*/g)).toHaveLength(2);
    expect(warnings).toEqual([]);
  });

  it('cuts clips out of a recording', async () => {
    const archives = await open();
    const { id } = (await archives.finish(await record(archives)))!;
    const clip = { startMs: START_MS + 15_000, endMs: START_MS + 20_000 };
    const playlist = (await archives.mediaPlaylist(id, 'audio', 'audio', clip)).plain.toString();
    expect(playlist.match(/audio-t-\d+/g)).toEqual(['audio-t-7', 'audio-t-8', 'audio-t-9']);
    expect((await archives.multivariant(id, clip)).plain.toString()).toContain(
      '\n240p/video.m3u8?start=2026-11-21T07%3A00%3A15.000Z&end=2026-11-21T07%3A00%3A20.000Z\n',
    );
    const outside = { startMs: START_MS + 100_000, endMs: START_MS + 110_000 };
    await expect(archives.multivariant(id, outside)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('leaves nothing of a broadcast without media', async () => {
    const archives = await open();
    expect(await archives.finish(archives.record('live/demo', FORMAT))).toBeUndefined();
    expect(archives.list()).toEqual([]);
    expect(await readdir(root)).toEqual([]);
  });

  it('gives recordings of the same second, and of names that look alike, ids of their own', async () => {
    const archives = await open();
    const recordings = ['live/a.b', 'live.a/b', '../../x', '//'].map((name) => archives.record(name, FORMAT));
    expect(recordings.map(({ id }) => id)).toEqual([
      'live.a.b.20261121T070000Z',
      'live.a.b.20261121T070000Z.2',
      'x.20261121T070000Z',
      'broadcast.20261121T070000Z',
    ]);
    for (const recording of recordings) await feed(recording, '240p', rows('video', 0, 1));
    await archives.close();
    expect((await readdir(folder)).sort()).toEqual(['archives', 'live']);
    expect(archives.list()).toHaveLength(4);
  });

  it('deletes a recording for good', async () => {
    const archives = await open();
    const { id } = (await archives.finish(await record(archives)))!;
    await archives.multivariant(id);
    expect(await Promise.all([archives.delete(id), archives.delete(id)])).toEqual([true, false]);
    expect(await readdir(root)).toEqual([]);
    expect([archives.list(), archives.bytes]).toEqual([[], 0]);
    for (const attempt of [archives.multivariant(id), archives.media(id, '240p', 'video-t-5.m4s')]) {
      await expect(attempt).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  });

  it.each([
    ['..', '240p', 'video-t-5.m4s'],
    ['live.demo.20261121T070000Z', '..', 'video-t-5.m4s'],
    ['live.demo.20261121T070000Z', '240p/..', 'video-t-5.m4s'],
    ['live.demo.20261121T070000Z', '', 'index.jsonl'],
    ['live.demo.20261121T070000Z', '240p', '../index.jsonl'],
    ['live.demo.20261121T070000Z', '240p', 'video-../../index.m4s'],
    ['live.demo.20261121T070000Z', '240p', 'video-t-5.m4s\0'],
    ['live.demo.20261121T070000Z', '240p', 'video-t-99.m4s'],
    ['', '240p', 'video-t-5.m4s'],
  ])('has no file %j %j %j', async (id, rendition, file) => {
    const archives = await open();
    await archives.finish(await record(archives));
    await expect(archives.media(id, rendition, file)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await archives.delete('..')).toBe(false);
  });

  it('deletes the oldest recording when all together are too large, and says so', async () => {
    const archives = await open(50_000);
    const ids: string[] = [];
    for (let hour = 0; hour < 3; hour += 1) {
      const recording = archives.record('live/demo', FORMAT);
      const later = rows('video', 0, 19).map((each) => ({
        ...each,
        programDateTimeMs: each.programDateTimeMs + hour * 3_600_000,
      }));
      await feed(recording, '240p', later);
      ids.push((await archives.finish(recording))!.id);
      clock.advance(3_600_000);
    }
    expect(archives.list().map(({ id }) => id)).toEqual([ids[2], ids[1]]);
    await archives.close();
    expect((await readdir(root)).sort()).toEqual([ids[1], ids[2]]);
    expect(warnings).toEqual(['deletes the oldest recording: storage.archiveMaxMb is reached']);
    // A smaller limit counts from the next start on.
    const smaller = await open(25_000);
    expect(smaller.list().map(({ id }) => id)).toEqual([ids[2]]);
    await smaller.close();
  });

  it.each([1e9, 2_000])(
    'goes back as far as the limit if one recording alone is too large (%d)',
    async (compactBytes) => {
      const archives = await Archives.open({ root, maxBytes: 30_000, compactBytes, clock, logger });
      const recording = archives.record('live/demo', FORMAT);
      for (let msn = 0; msn < 100; msn += 1) {
        await feed(recording, '240p', [row('video', msn)]);
        await feed(recording, 'audio', [row('audio', msn)], 'audio');
      }
      const info = (await archives.finish(recording))!;
      expect(archives.bytes).toBe(info.bytes);
      expect(info.bytes).toBeLessThanOrEqual(30_000);
      expect(info.bytes).toBeGreaterThan(28_000);
      const playlist = (await archives.mediaPlaylist(info.id, '240p', 'video')).plain.toString();
      const listed = [...playlist.matchAll(/video-t-(\d+)\.m4s/g)].map(([, msn]) => Number(msn));
      expect(listed.at(-1)).toBe(99);
      expect(listed.length * 2_000).toBeLessThanOrEqual(30_000);
      const onDisk = (await readdir(path.join(root, info.id, '240p'))).filter((name) => name.endsWith('.m4s'));
      expect(onDisk.sort()).toEqual(listed.map((msn) => `video-t-${msn}.m4s`).sort());
      expect(Date.parse(info.startedAt)).toBe(START_MS + 2_000 * listed[0]!);
      expect((await open()).list()).toEqual([info]);
      const index = await readFile(path.join(root, info.id, 'index.jsonl'), 'utf8');
      // A row has about 300 bytes; 200 were written.
      if (compactBytes === 2_000) expect(index.length).toBeLessThan(15_000);
      else expect(index.length).toBeGreaterThan(40_000);
      expect(warnings).toEqual([]);
    },
  );

  it('completes what a crash cut off: torn lines, lost files, files that no line names', async () => {
    const archives = await open();
    const { id } = await record(archives);
    const index = path.join(root, id, 'index.jsonl');
    const count = async (): Promise<number> => (await readFile(index, 'utf8').catch(() => '')).split('\n').length;
    await until('all rows to be in the index', async () => (await count()) === 24);
    // The state of the folder is what a killed process leaves.
    const crashed = path.join(folder, 'crashed');
    await cp(root, crashed, { recursive: true });
    await appendFile(path.join(crashed, id, 'index.jsonl'), '{"type":"row","id":0,"row":{"msn":15,"na');
    await rm(path.join(crashed, id, '240p', 'video-t-8.m4s'));
    await truncate(path.join(crashed, id, 'audio', 'audio-t-9.m4s'), 10);
    await writeFile(path.join(crashed, id, '240p', 'video-t-15.m4s'), 'not in the index');
    await archives.close();

    const found = { root: crashed, maxBytes: 1e9, clock, logger };
    for (const recovered of [await Archives.open(found), await Archives.open(found)]) {
      expect(recovered.list()).toMatchObject([
        { id, durationMs: 20_000, bytes: 18_000, renditions: ['240p', 'audio'] },
      ]);
      const gaps = async (rendition: string, track: 'video' | 'audio'): Promise<string[]> => {
        const text = (await recovered.mediaPlaylist(id, rendition, track)).plain.toString();
        expect(text.match(/#EXTINF/g)).toHaveLength(10);
        return [...text.matchAll(/#EXT-X-GAP\n.*\n(.*)/g)].map(([, uri]) => uri!);
      };
      expect(await gaps('240p', 'video')).toEqual(['video-t-8.m4s']);
      expect(await gaps('audio', 'audio')).toEqual(['audio-t-9.m4s']);
    }
    expect(warnings).toEqual([]);
  });

  it('removes what a crash left without media, finishes deletions, and leaves alone what it does not know', async () => {
    await mkdir(path.join(root, 'live.demo.20261121T060000Z'), { recursive: true });
    await writeFile(
      path.join(root, 'live.demo.20261121T060000Z', 'index.jsonl'),
      '{"type":"head","format":1,"broadcast":"live/demo","startedAtMs":1,"targetDurationSeconds":3}\n',
    );
    await mkdir(path.join(root, '.deleted-live.x'));
    await mkdir(path.join(root, 'holiday pictures'));
    await mkdir(path.join(root, 'backup'));
    await writeFile(path.join(root, 'notes.txt'), 'mine');
    const archives = await open();
    expect(archives.list()).toEqual([]);
    expect((await readdir(root)).sort()).toEqual(['backup', 'holiday pictures', 'notes.txt']);
    expect(warnings).toHaveLength(3);
  });

  it('stops recording when its folder cannot be written to, says so once, and keeps what there is', async () => {
    const archives = await open();
    const recording = archives.record('live/demo', FORMAT);
    await feed(recording, '240p', rows('video', 0, 2));
    await until('the first segments', () => recording.bytes === 3_000);
    await writeFile(path.join(root, recording.id, '720p'), 'in the way');
    await feed(recording, '720p', rows('video', 2, 2));
    await feed(recording, '240p', rows('video', 3, 9));
    const info = await archives.finish(recording);
    expect(info).toMatchObject({ bytes: 3_000, durationMs: 6_000, renditions: ['240p'] });
    expect(warnings).toEqual(['the recording stops here: its folder cannot be written to; the broadcast goes on']);
    expect((await open()).list()).toEqual([info]);
  });

  it('says what is in the way of its folder', async () => {
    await writeFile(root, 'a file');
    await expect(open()).rejects.toMatchObject({ code: 'BAD_CONFIG' });
  });
});
