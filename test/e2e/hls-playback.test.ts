import { execFile } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hlsRoutes } from '../../src/http/hls-routes.ts';
import type { Fragment } from '../../src/media/fragment.ts';
import { decodeErrors, probePackets } from '../support/ffprobe.ts';
import { fetchBytes, fetchMediaPlaylist, fetchMultivariant, type ParsedMediaPlaylist } from '../support/hls-client.ts';
import { STREAM_START_MS } from '../support/hls-fragments.ts';
import { HlsStage } from '../support/hls-stage.ts';
import { audioSource, type SourceMedia, videoSource } from '../support/transcode-source.ts';

const run = promisify(execFile);

const SECONDS = 13;
/** Pictures start this much after the sound. */
const VIDEO_START_S = 0.2;

let app: FastifyInstance;
let base = '';
let video: SourceMedia;
let audio: SourceMedia;

/** The same media as if it had come in live, one frame after the other. */
function live({ fragments }: SourceMedia): Fragment[] {
  return fragments.map((fragment) => ({
    ...fragment,
    ingestedAtMs: STREAM_START_MS + (fragment.baseDecodeTime * 1_000) / fragment.init.timescale,
  }));
}

beforeAll(async () => {
  const encoder = ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-pix_fmt', 'yuv420p'];
  video = await videoSource({ size: '320x180', seconds: SECONDS, gop: 60, startS: VIDEO_START_S, encoder });
  audio = await audioSource('aac', 2, SECONDS);
  const stage = new HlsStage({ windowSegments: 8 });
  stage.open('source', video.init);
  stage.open('source', audio.init);
  stage.open('original', video.init);
  stage.open('audio', audio.init);
  const [pictures, sound] = [live(video), live(audio)];
  stage.play({ source: pictures, 'source#audio': sound, original: pictures, audio: sound });
  stage.close('source', 'video');
  stage.close('source', 'audio');
  stage.close('original', 'video');
  stage.close('audio', 'audio');
  // The end is told a moment after the last media.
  stage.clock.advance(1_000);
  app = fastify();
  await app.register(hlsRoutes, { origin: stage.origin });
  await app.listen({ host: '127.0.0.1', port: 0 });
  base = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/hls/live/demo`;
});

afterAll(async () => app.close());

async function playlistOf(path: string): Promise<ParsedMediaPlaylist> {
  const playlist = await fetchMediaPlaylist(`${base}/${path}`);
  if (playlist === undefined) throw new Error(`no playlist ${path}`);
  return playlist;
}

describe('a broadcast that real players read', () => {
  it('is decoded by ffmpeg from end to end without a complaint', async () => {
    const { stderr } = await run('ffmpeg', ['-v', 'warning', '-i', `${base}/index.m3u8`, '-f', 'null', '-']);
    const complaints = stderr.split('\n').filter((line) => line !== '' && !/duplicated MOOV|VPS|Opening/i.test(line));
    expect(complaints).toEqual([]);
  });

  it('offers the untouched video with its sound', async () => {
    const multivariant = await fetchMultivariant(`${base}/index.m3u8`);
    expect(multivariant?.variants.map(({ url }) => url.replace(base, ''))).toEqual([
      '/original/video.m3u8',
      '/audio/audio.m3u8',
    ]);
    const { attributes } = multivariant!.variants[0]!;
    expect(attributes).toMatchObject({ RESOLUTION: '320x180', 'FRAME-RATE': '30.000', AUDIO: 'audio' });
    expect(attributes['CODECS']).toMatch(/^avc1\.[0-9a-f]{6},mp4a\.40\.2$/i);
    const playlist = await playlistOf('original/video.m3u8');
    const rates = await Promise.all(
      playlist.segments.map(async ({ url, durationS }) => ((await fetchBytes(url)).length * 8) / durationS),
    );
    expect(Number(attributes['BANDWIDTH'])).toBeGreaterThan(Math.max(...rates.slice(0, -1)));
  });

  it('keeps every picture and every sample at its own time', async () => {
    for (const [path, source] of [
      ['original/video.m3u8', video],
      ['audio/audio.m3u8', audio],
    ] as const) {
      const { segments } = await playlistOf(path);
      const files = await Promise.all([segments[0]!.mapUrl, ...segments.map(({ url }) => url)].map(fetchBytes));
      const served = Buffer.concat(files);
      const { timescale } = source.init;
      const packets = await probePackets(served);
      expect(packets.map(({ ptsS }) => Math.round(ptsS * timescale))).toEqual(
        source.fragments.map(({ firstPts }) => firstPts),
      );
      expect(await decodeErrors(served)).toBe('');
    }
  });

  it('starts each video segment with a keyframe at the playlist’s time, and the audio within a frame of it', async () => {
    const [pictures, sound] = [await playlistOf('original/video.m3u8'), await playlistOf('audio/audio.m3u8')];
    expect(pictures.segments.map(({ msn }) => msn)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(sound.segments.map(({ msn }) => msn)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    let startS = video.fragments[0]!.firstPts / 90_000;
    for (const [index, segment] of pictures.segments.entries()) {
      const picture = await firstPacket(segment.mapUrl, segment.url);
      expect(picture.keyframe).toBe(true);
      expect(picture.ptsS).toBeCloseTo(startS, 2);
      const sample = await firstPacket(sound.segments[index]!.mapUrl, sound.segments[index]!.url);
      if (index > 0) {
        expect(sample.ptsS).toBeGreaterThanOrEqual(startS - 0.001);
        expect(sample.ptsS).toBeLessThan(startS + 0.022);
      }
      startS += segment.durationS;
    }
    expect(pictures.ended && sound.ended).toBe(true);
    const dateOf = ({ segments }: ParsedMediaPlaylist): number => segments[0]?.programDateTimeMs ?? Number.NaN;
    const startMsOf = ({ init, fragments }: SourceMedia): number => (fragments[0]!.firstPts * 1_000) / init.timescale;
    expect(Math.abs(dateOf(pictures) - dateOf(sound) - (startMsOf(video) - startMsOf(audio)))).toBeLessThanOrEqual(1);
  });
});

async function firstPacket(mapUrl: string, url: string): Promise<{ ptsS: number; keyframe: boolean }> {
  const packets = await probePackets(Buffer.concat([await fetchBytes(mapUrl), await fetchBytes(url)]));
  return packets[0]!;
}
