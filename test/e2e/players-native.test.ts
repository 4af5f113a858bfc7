import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { LiveServer } from '../support/live-server.ts';
import { type Playback, playWithFfmpeg, playWithGstreamer } from '../support/native-players.ts';

const SECONDS = 8;
const FRAME_S = { video: 1 / 30, audio: 1024 / 48_000 };
/** RTMP counts in whole milliseconds. */
const ROUNDING_S = 0.002;

const RENDITIONS = [
  ['original', 'video'],
  ['240p', 'video'],
  ['144p', 'video'],
  ['audio', 'audio'],
] as const;

function expectWhole({ ptsS, complaints }: Playback, kind: 'video' | 'audio', name: string): void {
  expect(complaints, name).toEqual([]);
  expect(ptsS.length, name).toBeGreaterThan((SECONDS - 1) / FRAME_S[kind]);
  const steps = ptsS.slice(1).map((pts, index) => pts - ptsS[index]!);
  expect(Math.min(...steps), name).toBeGreaterThan(FRAME_S[kind] - ROUNDING_S);
  expect(Math.max(...steps), name).toBeLessThan(FRAME_S[kind] + ROUNDING_S);
}

describe('players that are no browsers', () => {
  let server: LiveServer;
  let publisher: FfmpegPublisher;

  beforeAll(async () => {
    server = await LiveServer.start();
    publisher = new FfmpegPublisher({ url: server.rtmpUrl('demo'), bFrames: 2 });
    await server.variants('demo', 3);
  });

  afterAll(async () => {
    await publisher.kill();
    await server.close();
  });

  it('ffmpeg decodes every rung and the sound, without a complaint or a hole', async () => {
    const read = async ([rendition, kind]: (typeof RENDITIONS)[number]): Promise<void> => {
      const streams = await playWithFfmpeg(server.mediaUrl('demo', rendition, kind), SECONDS);
      expect(streams.size, rendition).toBe(1);
      expectWhole(streams.get(0)!, kind, rendition);
    };
    await Promise.all(RENDITIONS.map(read));
  });

  it('ffmpeg decodes all rungs of the multivariant playlist at once', async () => {
    const streams = await playWithFfmpeg(server.multivariantUrl('demo'), SECONDS);
    expect(streams.size).toBeGreaterThanOrEqual(RENDITIONS.length);
    for (const [stream, playback] of streams) {
      const isVideo = stream < RENDITIONS.length - 1;
      expectWhole(playback, isVideo ? 'video' : 'audio', `stream ${stream}`);
    }
  });

  it('GStreamer decodes every rung and the sound, without a complaint or a hole', async () => {
    const read = async ([rendition, kind]: (typeof RENDITIONS)[number]): Promise<void> => {
      const frames = Math.round(SECONDS / FRAME_S[kind]);
      expectWhole(await playWithGstreamer(server.mediaUrl('demo', rendition, kind), kind, frames), kind, rendition);
    };
    await Promise.all(RENDITIONS.map(read));
  });
});
