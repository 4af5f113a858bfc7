import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArchiveReply, BroadcastReply } from '../../src/http/schemas.ts';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import {
  fetchBytes,
  fetchMediaPlaylist,
  fetchMultivariant,
  fetchText,
  type ListedRendition,
  parseAttributes,
  type ParsedMediaPlaylist,
} from '../support/hls-client.ts';
import { LiveServer } from '../support/live-server.ts';
import { until } from '../support/poll.ts';

const run = promisify(execFile);

/** Short segments: after seconds already the older ones are on disk only. */
const SETTINGS = [
  ...['hls.segmentTargetMs = 1000', 'hls.windowSegments = 6', 'hls.dvrMs = 60000', 'hls.archive = true'],
].join('\n');

/** Frames that ffmpeg decodes of a playlist's video, and what it complains about. */
async function decode(url: string): Promise<{ frames: number; complaints: string }> {
  const args = ['-v', 'warning', '-stats', '-i', url, '-map', '0:v:0', '-fps_mode', 'passthrough', '-f', 'null', '-'];
  const { stderr } = await run('ffmpeg', args, { maxBuffer: 16 << 20 });
  const frames = Number([...stderr.matchAll(/frame=\s*(\d+)/g)].at(-1)?.[1] ?? 0);
  const complaints = stderr.split(/[\r\n]/).filter((line) => line.trim() !== '' && !/^frame=|^\s*$/.test(line));
  return { frames, complaints: complaints.join('\n') };
}

const durationS = ({ segments }: ParsedMediaPlaylist): number =>
  segments.reduce((sum, each) => sum + each.durationS, 0);

async function playlist(url: string): Promise<ParsedMediaPlaylist> {
  return (await fetchMediaPlaylist(url)) ?? Promise.reject(new Error(`there is no ${url}`));
}

describe('time-shift', () => {
  let server: LiveServer;
  let publisher: FfmpegPublisher;
  let renditions: ListedRendition[];

  beforeAll(async () => {
    server = await LiveServer.start({ settings: SETTINGS });
    publisher = new FfmpegPublisher({ url: server.rtmpUrl('demo'), gop: 30, bFrames: 0 });
    const { variants, media } = await server.variants('demo', 3);
    renditions = [...variants.filter(({ url }) => url.includes('video')), ...media];
    await until('segments on disk', async () => {
      const media = await fetchMediaPlaylist(server.mediaUrl('demo', '240p'));
      return media !== undefined && media.segments.length >= 17;
    });
  });

  afterAll(async () => {
    await publisher.kill();
    await server.close();
  });

  it('serves every listed segment of every rendition, from memory and from disk, whole and in ranges', async () => {
    for (const { url } of renditions) {
      const { segments } = await playlist(url);
      expect(segments.length).toBeGreaterThanOrEqual(15);
      for (const { url: media } of segments) {
        const bytes = await fetchBytes(media);
        expect(bytes.toString('latin1', 4, 8)).toBe('moof');
        const response = await fetch(media, { headers: { range: 'bytes=4-7' } });
        expect([response.status, await response.text()]).toEqual([206, 'moof']);
      }
    }
  });

  it('gives the short window to those who ask for it', async () => {
    const short = await fetchMultivariant(`${server.multivariantUrl('demo')}?dvr=0`);
    expect(short!.variants.every(({ url }) => url.endsWith('?dvr=0'))).toBe(true);
    const live = await playlist(short!.variants[0]!.url);
    const full = await playlist(short!.variants[0]!.url.replace('?dvr=0', ''));
    expect(durationS(live)).toBeLessThan(durationS(full));
    expect(live.segments.length).toBeGreaterThanOrEqual(6);
  });

  it('lets ffmpeg play a clip of every rendition', async () => {
    const { segments } = await playlist(server.mediaUrl('demo', '240p'));
    const startMs = segments[0]!.programDateTimeMs! + 4_500;
    const query = `start=${new Date(startMs).toISOString()}&end=${new Date(startMs + 3_000).toISOString()}`;
    const clip = await fetchMultivariant(`${server.multivariantUrl('demo').replace('index', 'clip')}?${query}`);
    const lists = await Promise.all([...clip!.variants, ...clip!.media].map(({ url }) => playlist(url)));
    expect(new Set(lists.map(({ mediaSequence }) => mediaSequence)).size).toBe(1);
    expect(new Set(lists.map(({ segments: { length } }) => length)).size).toBe(1);
    for (const { url } of clip!.variants.filter(({ url: variant }) => variant.includes('video'))) {
      const { frames, complaints } = await decode(url);
      expect(complaints).toBe('');
      expect(frames).toBe(Math.round(durationS(await playlist(url)) * 30));
    }
    expect((await fetch(`${server.multivariantUrl('demo').replace('index', 'clip')}?start=x&end=y`)).status).toBe(400);
  });

  it('lets ffmpeg play the I-frames alone', async () => {
    const text = (await fetchText(server.multivariantUrl('demo')))!;
    const iframes = [...text.matchAll(/#EXT-X-I-FRAME-STREAM-INF:(.*)/g)].map(([, list]) => parseAttributes(list!));
    expect(iframes).toHaveLength(3);
    // A live playlist would be played for ever: a clip of it ends.
    const { segments } = await playlist(server.mediaUrl('demo', '144p'));
    const startMs = segments[0]!.programDateTimeMs! + 3_000;
    const query = `start=${new Date(startMs).toISOString()}&end=${new Date(startMs + 5_000).toISOString()}`;
    const url = new URL(`144p/iframes.m3u8?${query}`, server.multivariantUrl('demo')).href;
    const { frames, complaints } = await decode(url);
    expect(complaints).toBe('');
    expect(frames).toBe((await playlist(url)).segments.length);
  });

  it('keeps the broadcast as a recording of all rungs when it ends, until it is deleted', async () => {
    const before = await playlist(server.mediaUrl('demo', '240p'));
    await publisher.stop();
    const info = await until('the recording', async () => {
      const list = (await (await server.api('GET', 'archives')).json()) as ArchiveReply[];
      return list[0];
    });
    expect(info).toMatchObject({ broadcast: 'live/demo' });
    const url = `${server.app.httpUrl}${info.playlist}`;
    const { variants, media } = (await fetchMultivariant(url))!;
    expect(variants).toHaveLength(4);
    const lists = await Promise.all([...variants, ...media].map((each) => playlist(each.url)));
    expect(lists.every(({ ended, mediaSequence }) => ended && mediaSequence === 0)).toBe(true);
    expect(new Set(lists.map(({ segments: { length } }) => length)).size).toBe(1);
    const names = new Set(
      lists.flatMap(({ segments }) => segments.map((each) => each.url.split('/').slice(-2).join('/'))),
    );
    for (const each of before.segments) expect(names).toContain(each.url.split('/').slice(-2).join('/'));
    for (const variant of variants.filter((each) => each.url.includes('video'))) {
      const { frames, complaints } = await decode(variant.url);
      const withMedia = (await playlist(variant.url)).segments.filter(({ gap }) => !gap);
      expect(complaints).toBe('');
      expect(Math.abs(frames - 30 * withMedia.reduce((sum, each) => sum + each.durationS, 0))).toBeLessThanOrEqual(2);
    }
    const broadcasts = (await (await server.api('GET', 'broadcasts')).json()) as BroadcastReply[];
    expect(broadcasts.find(({ name }) => name === 'live/demo')).toMatchObject({ state: 'ended', archive: info.id });
    expect((await server.api('DELETE', `archives/${info.id}`)).status).toBe(204);
    expect((await fetch(url)).status).toBe(404);
  });
});
