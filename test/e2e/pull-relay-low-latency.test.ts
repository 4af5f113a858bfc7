import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkHls } from '../../src/check/check-hls.ts';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { fetchMultivariant, type ParsedMultivariant } from '../support/hls-client.ts';
import { LiveServer, PASSTHROUGH_LADDER } from '../support/live-server.ts';
import { LowLatencyClient } from '../support/ll-client.ts';
import { until } from '../support/poll.ts';

/** One Laddercast relays another one. */
describe('a relayed low-latency source', () => {
  let upstream: LiveServer;
  let server: LiveServer;
  let publisher: FfmpegPublisher;
  let url: string;

  beforeAll(async () => {
    [upstream, server] = await Promise.all([
      LiveServer.start({ ladder: PASSTHROUGH_LADDER }),
      LiveServer.start({ ladder: PASSTHROUGH_LADDER, settings: 'allowPrivate = ["127.0.0.0/8"]' }),
    ]);
    const stream = { size: '320x180', videoBitrateKbps: 300, bFrames: 0 };
    publisher = new FfmpegPublisher({ url: upstream.rtmpUrl('up'), ...stream });
    await upstream.variants('up', 1);
    const added = await server.api('POST', 'sources', {
      ...{ name: 'down', mode: 'relay', url: upstream.multivariantUrl('up') },
    });
    expect(added.status).toBe(201);
    url = `${server.app.httpUrl}/relay/down/index.m3u8`;
  });
  afterAll(async () => {
    await publisher.kill();
    await Promise.all([server.close(), upstream.close()]);
  });

  const listed = async (): Promise<ParsedMultivariant> => (await fetchMultivariant(url))!;

  it('is as late as the source itself, but for a moment', async () => {
    const [variant] = (await listed()).variants;
    const direct = new LowLatencyClient(upstream.mediaUrl('up', 'original'));
    const relayed = new LowLatencyClient(variant!.url);
    await until('a dozen parts', () => relayed.parts.length >= 12);
    await Promise.all([direct.stop(), relayed.stop()]);
    const directAtMs = new Map(direct.parts.map(({ endMs, receivedAtMs }) => [endMs, receivedAtMs]));
    const lagsMs = relayed.parts.flatMap(({ endMs, receivedAtMs }) => {
      const atMs = directAtMs.get(endMs);
      return atMs === undefined ? [] : [receivedAtMs - atMs];
    });
    expect(lagsMs.length).toBeGreaterThan(8);
    const [median] = lagsMs.toSorted((a, b) => a - b).slice(lagsMs.length >> 1);
    expect(median).toBeLessThan(250);
  });

  it('holds the checklist', async () => {
    const report = await checkHls(url, { seconds: 8 });
    const failed = report.items.flatMap(({ id, status, evidence }) => {
      // Nothing can be asked for here that no playlist has signed.
      const faults = evidence.filter((line) => !line.endsWith('-> 403, not 404 (unknown media)'));
      return status === 'fail' && faults.length > 0 ? [{ id, faults }] : [];
    });
    expect(failed, `late by ${report.lagMs} ms`).toEqual([]);
    expect(report.playlists.toSorted()).toEqual(['a0/index.m3u8', 'v0/index.m3u8']);
    for (const id of ['L1', 'L2', 'L12', 'L13', 'L14', 'L16', 'L20', 'L28', 'L30', 'L31']) {
      expect(report.items.find((item) => item.id === id)?.status, id).toBe('pass');
    }
  });
});
