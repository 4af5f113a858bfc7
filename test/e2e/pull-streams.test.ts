import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SourceView } from '../../src/sources/source-view.ts';
import { decodeErrors, probePackets } from '../support/ffprobe.ts';
import { fetchBytes, fetchMediaPlaylist, type ParsedMediaPlaylist } from '../support/hls-client.ts';
import { LiveServer, PASSTHROUGH_LADDER } from '../support/live-server.ts';
import { until } from '../support/poll.ts';
import { RtspServer } from '../support/rtsp-server.ts';
import { StreamSenders } from '../support/stream-senders.ts';

/** Whole servers that pull streams which are no playlists: what a receiver box, an encoder and a camera send. */
describe('continuous sources', () => {
  const senders = new StreamSenders();
  let camera: RtspServer;
  let server: LiveServer;

  beforeAll(async () => {
    camera = await (await RtspServer.start()).encode();
    server = await LiveServer.start({
      ladder: PASSTHROUGH_LADDER,
      publish: { graceMs: 30_000 },
      settings: 'allowPrivate = ["127.0.0.0/8"]\npull.allowHosts = ["127.0.0.1"]',
    });
  });
  afterAll(async () => {
    await server.close();
    await senders.close();
    await camera.close();
  });

  const add = (name: string, url: string): Promise<Response> =>
    server.api('POST', 'sources', { name, url, mode: 'ladder', onDemand: false });
  const view = async (name: string): Promise<SourceView> =>
    (await (await server.api('GET', `sources/${name}`)).json()) as SourceView;

  /** The playlist of a track once it has so many segments. */
  const listed = (name: string, track: 'video' | 'audio', segments: number): Promise<ParsedMediaPlaylist> =>
    until(`${segments} segments of ${name}`, async () => {
      const rendition = track === 'video' ? 'original' : 'audio';
      const playlist = await fetchMediaPlaylist(server.mediaUrl(name, rendition, track));
      return playlist !== undefined && playlist.segments.length >= segments && playlist;
    });

  async function media({ segments }: ParsedMediaPlaylist): Promise<Buffer> {
    const parts = [segments[0]!.mapUrl, ...segments.map(({ url }) => url)].map((url) => fetchBytes(url));
    return Buffer.concat(await Promise.all(parts));
  }

  it('play over HTTP, RTMP, SRT and RTSP, picture and sound in step', async () => {
    const urls: Record<string, string> = {
      http: await senders.http(),
      rtmp: await senders.rtmp(),
      srt: await senders.srt(),
      rtsp: `rtsp://heidi:topsecret@127.0.0.1:${camera.port}/cam`,
    };
    for (const [name, url] of Object.entries(urls)) expect((await add(name, url)).status).toBe(201);
    for (const name of Object.keys(urls)) {
      const [video, audio] = await Promise.all([listed(name, 'video', 2), listed(name, 'audio', 2)]);
      const [pictures, sounds] = await Promise.all([media(video), media(audio)]);
      expect(await decodeErrors(pictures), name).toBe('');
      expect(await decodeErrors(sounds), name).toBe('');
      const packets = await probePackets(pictures);
      const gaps = packets.slice(1).map(({ dtsS }, index) => dtsS - packets[index]!.dtsS);
      expect(packets.length, name).toBeGreaterThanOrEqual(50);
      // A camera's times are those of its own clock: they are not even.
      expect(Math.max(...gaps), name).toBeLessThan(0.12);
      const apartS = (await probePackets(sounds))[0]!.ptsS - packets[0]!.ptsS;
      expect(Math.abs(apartS), name).toBeLessThan(0.7);
      const seen = await view(name);
      expect(seen, name).toMatchObject({ state: 'live', failovers: 0, counters: { stretches: 1 } });
      expect(JSON.stringify(seen)).not.toMatch(/topsecret|opensesame/);
    }
    // One to see what it is, and one that stays.
    expect(senders.requests).toBe(2);
  });

  it('go on after an interruption, with one break', async () => {
    const before = await listed('http', 'video', 2);
    senders.cut();
    const playlist = await until('the break', async () => {
      const found = await fetchMediaPlaylist(server.mediaUrl('http', 'original'));
      const at = found?.segments.findIndex(({ discontinuity }) => discontinuity) ?? -1;
      return found !== undefined && at >= 0 && found.segments.length > at + 1 && found;
    });
    expect(playlist.ended).toBe(false);
    expect(playlist.segments.filter(({ discontinuity }) => discontinuity)).toHaveLength(1);
    expect(playlist.mediaSequence).toBe(before.mediaSequence);
    const seen = await view('http');
    expect(seen).toMatchObject({ state: 'live', counters: { connections: 2, stretches: 2 } });
  });

  it('are refused at hosts that the operator did not list, and with parameters that nobody knows', async () => {
    for (const url of ['rtsp://127.0.0.2/a', 'srt://localhost:9000', 'rtmp://10.0.0.1/live/a']) {
      const answer = await add('refused', url);
      // A name may lead to a listed address: that is known when it is connected to.
      if (url.includes('localhost')) expect([201, 403]).toContain(answer.status);
      else expect(answer.status).toBe(403);
      if (answer.status === 201) await server.api('DELETE', 'sources/refused');
    }
    for (const url of [
      'file:///etc/passwd',
      'concat:a|b',
      'udp://127.0.0.1:9',
      'tcp://127.0.0.1:9',
      'rtp://127.0.0.1:9',
    ]) {
      expect((await add('refused', url)).status).toBe(400);
    }
    await add('listener', 'srt://127.0.0.1:9000?mode=listener');
    const seen = await until('its refusal', async () => {
      const found = await view('listener');
      return found.lastError !== undefined && found;
    });
    expect(seen.lastError?.message).toMatch(/parameter "mode"/);
  });
});
