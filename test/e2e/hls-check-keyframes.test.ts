import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkHls } from '../../src/check/check-hls.ts';
import { expectConforming } from '../support/check-live.ts';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { fetchMediaPlaylist } from '../support/hls-client.ts';
import { LiveServer } from '../support/live-server.ts';
import { until } from '../support/poll.ts';

const SIZE = '480x270';
const ENCODED = ['240p/video.m3u8', '144p/video.m3u8', 'audio/audio.m3u8'];
const RUNGS = ['original/video.m3u8', ...ENCODED];

/** The checklist over HTTP, on streams whose keyframes or whose publisher are not as one would wish. */
describe('a live broadcast', { concurrent: true }, () => {
  let server: LiveServer;
  const publishers: FfmpegPublisher[] = [];

  beforeAll(async () => {
    server = await LiveServer.start({ publish: { graceMs: 60_000 } });
  });

  afterAll(async () => {
    await Promise.all(publishers.map((publisher) => publisher.kill()));
    await server.close();
  });

  const publish = async (
    name: string,
    variants: number,
    stream: Partial<ConstructorParameters<typeof FfmpegPublisher>[0]>,
  ): Promise<FfmpegPublisher> => {
    const publisher = new FfmpegPublisher({ url: server.rtmpUrl(name), size: SIZE, videoBitrateKbps: 500, ...stream });
    publishers.push(publisher);
    await server.variants(name, variants);
    return publisher;
  };

  it('holds the checklist at 29.97 fps', async () => {
    await publish('film', 3, { rate: '30000/1001', gop: 60 });
    await expectConforming(server.multivariantUrl('film'), RUNGS);
  });

  it('holds the checklist with keyframes 8.33 s apart', async () => {
    await publish('auto', 2, { rate: 30, gop: 250 });
    await expectConforming(server.multivariantUrl('auto'), ENCODED);
  });

  it('holds the checklist while its publisher is away and comes back', async () => {
    const first = await publish('drop', 3, { rate: 30, gop: 60 });
    await until('four segments', async () => {
      const playlist = await fetchMediaPlaylist(server.mediaUrl('drop', '144p'));
      return (playlist?.segments.length ?? 0) >= 4;
    });
    const report = checkHls(server.multivariantUrl('drop'), { seconds: 20 });
    await first.kill();
    await until('no more offers to block', async () => {
      const answer = await fetch(server.mediaUrl('drop', '144p'));
      return !(await answer.text()).includes('CAN-BLOCK-RELOAD');
    });
    await publish('drop', 3, { rate: 30, gop: 60 });
    await until('a discontinuity', async () => {
      const playlist = await fetchMediaPlaylist(server.mediaUrl('drop', '144p'));
      return playlist?.segments.some(({ discontinuity }) => discontinuity);
    });
    const { items, lagMs } = await report;
    expect(
      items.filter(({ status }) => status === 'fail'),
      `late by ${lagMs} ms`,
    ).toEqual([]);
    expect(items.find(({ id }) => id === 'L15')?.status).toBe('pass');
  });
});
