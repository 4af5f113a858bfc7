import { describe, expect, it } from 'vitest';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { STREAM_START_MS, videoFrames, videoInit } from '../support/hls-fragments.ts';
import { until } from '../support/poll.ts';
import {
  content,
  endPublisher,
  ladder,
  lines,
  low,
  media,
  numbers,
  openDisk,
  openStage,
  play,
  segments,
  testFolder,
  TRACKS,
  useTimeShiftFolder,
} from '../support/time-shift-stage.ts';

useTimeShiftFolder();

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
    await rm(path.join(testFolder(), 'live'), { recursive: true });
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
