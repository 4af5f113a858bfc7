import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { probePackets, probeStream } from '../support/ffprobe.ts';
import { pipeFmp4 } from '../support/fmp4-publisher.ts';
import { fetchMediaPlaylist, fetchMultivariant } from '../support/hls-client.ts';
import { HlsRecorder } from '../support/hls-recorder.ts';
import { LiveServer, videoVariants } from '../support/live-server.ts';
import { until } from '../support/poll.ts';
import { RawRtmpClient } from '../support/rtmp-client.ts';
import { WsPublisher } from '../support/ws-publisher.ts';

interface BroadcastView {
  readonly warnings: readonly string[];
  readonly renditions: readonly { readonly name: string; readonly state: string; readonly reason?: string }[];
}

/** Publishers that are not the textbook's. */
describe('a live server', { concurrent: false }, () => {
  let server: LiveServer;

  beforeAll(async () => {
    const expired = ['broadcast = "live/thief"', 'key = "expired-key"', 'expires = "2020-01-01T00:00:00Z"'];
    server = await LiveServer.start({ settings: ['[[streamKeys]]', ...expired].join('\n') });
  });

  afterAll(() => server.close());

  const broadcast = async (name: string): Promise<BroadcastView> =>
    (await (await server.api('GET', `broadcasts/live/${name}`)).json()) as BroadcastView;

  it('cuts 2 s segments of an OBS default stream, whose keyframes are 8.3 s apart, and says why the original is missing', async () => {
    const publisher = new FfmpegPublisher({ url: server.rtmpUrl('long'), size: '480x270', gop: 250, durationS: 15 });
    await server.variants('long', 2);
    const recorders = ['240p', '144p'].map((rendition) => new HlsRecorder(server.mediaUrl('long', rendition)));
    const audio = new HlsRecorder(server.mediaUrl('long', 'audio', 'audio'));
    const facts = await until('the warning', async () => {
      const view = await broadcast('long');
      return view.warnings.length > 0 ? view : undefined;
    });
    expect(facts.warnings[0]).toMatch(/set the keyframe interval to 2 s/);
    expect(facts.renditions.find(({ name }) => name === 'original')).toMatchObject({ state: 'withheld' });
    await publisher.exited;
    await Promise.all([...recorders, audio].map(({ finished }) => finished));

    const [first, second] = recorders.map(({ segments }) => segments.map(({ msn, durationS }) => [msn, durationS]));
    expect(first!.slice(0, -1)).toEqual(second!.slice(0, -1));
    for (const [, durationS] of first!.slice(0, -1)) expect(durationS).toBeLessThan(2.5);
    for (const recorder of recorders) {
      expect(recorder.segments.some(({ gap }) => gap)).toBe(false);
      expect(await probePackets(recorder.file())).toHaveLength(450);
    }
    expect(audio.segments.map(({ msn }) => msn)).toEqual(recorders[0]!.segments.map(({ msn }) => msn));
    expect(videoVariants(await fetchMultivariant(server.multivariantUrl('long')))).toHaveLength(2);
  });

  it('plays a stream without video', async () => {
    const publisher = new FfmpegPublisher({ url: server.rtmpUrl('radio'), video: false });
    const multivariant = await until('the audio variant', () => fetchMultivariant(server.multivariantUrl('radio')));
    expect(multivariant.variants.map(({ attributes }) => attributes['CODECS'])).toEqual(['mp4a.40.2']);
    const playlist = await until('two segments', async () => {
      const found = await fetchMediaPlaylist(multivariant.variants[0]!.url);
      return (found?.segments.length ?? 0) >= 2 ? found : undefined;
    });
    for (const { durationS } of playlist.segments) expect(durationS).toBeCloseTo(2, 0);
    await publisher.kill();
  });

  it('plays a stream without sound', async () => {
    const publisher = new FfmpegPublisher({ url: server.rtmpUrl('mute'), size: '256x144', audio: false });
    const multivariant = await server.variants('mute', 2);
    expect(multivariant.media).toEqual([]);
    for (const { attributes } of multivariant.variants) expect(attributes['CODECS']).toMatch(/^avc1\.[0-9a-f]{6}$/);
    await publisher.kill();
  });

  it('loses nothing of 5 s of media that come at once', async () => {
    const burst = { url: server.rtmpUrl('burst'), size: '426x240', durationS: 5, burst: true, gop: 30, bFrames: 0 };
    const publisher = new FfmpegPublisher(burst);
    await until('the 240p rung', () => fetchMediaPlaylist(server.mediaUrl('burst', '240p')));
    const recorders = ['original', '240p', '144p'].map((name) => new HlsRecorder(server.mediaUrl('burst', name)));
    await publisher.exited;
    await Promise.all(recorders.map(({ finished }) => finished));
    for (const recorder of recorders) expect(await probePackets(recorder.file())).toHaveLength(150);
  });

  it('takes H.264 and Opus over WebSocket and gives AAC', async () => {
    const publisher = await WsPublisher.ready(server.wsUrl('ws'));
    const piping = pipeFmp4(publisher, {
      inputs: [
        '-re',
        '-f',
        'lavfi',
        '-i',
        'testsrc2=size=426x240:rate=30',
        '-re',
        '-f',
        'lavfi',
        '-i',
        'sine',
        '-t',
        '9',
      ],
      codecs: ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '60', '-pix_fmt', 'yuv420p', '-c:a', 'libopus'],
    });
    const multivariant = await server.variants('ws', 3);
    expect(multivariant.variants[0]!.attributes['CODECS']).toMatch(/^avc1\.[0-9a-f]{6},mp4a\.40\.2$/);
    const rung = new HlsRecorder(server.mediaUrl('ws', '240p'));
    const audio = new HlsRecorder(server.mediaUrl('ws', 'audio', 'audio'));
    await piping;
    await publisher.end();
    await Promise.all([rung.finished, audio.finished]);
    expect(await probePackets(rung.file())).toHaveLength(270);
    expect((await probeStream(audio.file())).codec).toBe('aac');
    expect(publisher.messages.map(({ type }) => type)).toContain('stats');
  });

  it.each([
    ['a wrong key', '?key=wrong-key'],
    ['no key', ''],
    ['an expired key', '?key=expired-key'],
  ])('refuses %s in each protocol’s own way and publishes nothing', async (_, query) => {
    const { client, status } = await RawRtmpClient.publish(Number(new URL(server.app.rtmpUrl).port), `thief${query}`);
    expect(status.code).toBe('NetStream.Publish.Denied');
    await client.end();
    const websocket = new WsPublisher(`${server.app.httpUrl.replace('http', 'ws')}/ingest/live/thief${query}`);
    expect(await websocket.message('error')).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(await websocket.closed).toBe(4401);
    expect((await server.api('GET', 'broadcasts/live/thief')).status).toBe(404);
  });
});

describe('a server that closes', () => {
  it('ends its publishers, on RTMP and on WebSocket, and answers no more', async () => {
    const server = await LiveServer.start();
    const rtmp = new FfmpegPublisher({ url: server.rtmpUrl('rtmp'), size: '256x144' });
    const websocket = await WsPublisher.ready(server.wsUrl('ws'));
    await until('the RTMP publisher', () => server.app.directory.list('live/rtmp').length > 0);
    await Promise.all([server.close(), server.close()]);
    expect(await websocket.closed).toBe(1013);
    expect(await rtmp.exited).not.toBe(0);
    await expect(fetch(server.multivariantUrl('rtmp'))).rejects.toThrow();
  });
});
