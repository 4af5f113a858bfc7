import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectConforming } from '../support/check-live.ts';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { fetchMediaPlaylist } from '../support/hls-client.ts';
import { LiveServer } from '../support/live-server.ts';
import { until } from '../support/poll.ts';

const SIZE = '480x270';
const RUNGS = ['original/video.m3u8', '240p/video.m3u8', '144p/video.m3u8', 'audio/audio.m3u8'];

/** The checklist over HTTP, on every rung of real streams. */
describe('a live broadcast', { concurrent: true }, () => {
  let server: LiveServer;
  const publishers: FfmpegPublisher[] = [];

  beforeAll(async () => {
    server = await LiveServer.start({ settings: 'httpsPort = 0\nselfSigned = true' });
  });

  afterAll(async () => {
    await Promise.all(publishers.map((publisher) => publisher.kill()));
    await server.close();
  });

  /** Publishes, and waits until the oldest segments are past the skip boundary. */
  const publish = async (
    name: string,
    stream: Partial<ConstructorParameters<typeof FfmpegPublisher>[0]>,
  ): Promise<void> => {
    publishers.push(new FfmpegPublisher({ url: server.rtmpUrl(name), size: SIZE, videoBitrateKbps: 500, ...stream }));
    await server.variants(name, 3);
    await until('eight segments', async () => {
      const playlist = await fetchMediaPlaylist(server.mediaUrl(name, '144p'));
      return (playlist?.segments.length ?? 0) >= 8;
    });
  };

  it('holds the checklist at 30 fps without B-frames', async () => {
    await publish('plain', { rate: 30, gop: 60, bFrames: 0 });
    const { items } = await expectConforming(server.multivariantUrl('plain'), RUNGS);
    expect(items.find(({ id }) => id === 'L17')?.evidence.join()).toMatch(/skipped segments: .*[1-9]/);
  });

  it('holds the checklist at 60 fps with B-frames, over TLS', async () => {
    await publish('smooth', { rate: 60, gop: 120, bFrames: 2 });
    await expectConforming(`${server.app.httpsUrl}/hls/live/smooth/index.m3u8`, RUNGS);
  });
});
