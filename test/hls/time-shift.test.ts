import { describe, expect, it } from 'vitest';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { MediaFile } from '../../src/hls/media-file.ts';
import { HlsStage } from '../support/hls-stage.ts';
import { until } from '../support/poll.ts';
import {
  content,
  endPublisher,
  firstMsn,
  lines,
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
    await rm(path.join(testFolder(), 'live'), { recursive: true });
    await writeFile(path.join(testFolder(), 'live'), 'in the way');
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
      async () => (await readFile(path.join(testFolder(), 'sequences.json'), 'utf8')).length > 0,
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
