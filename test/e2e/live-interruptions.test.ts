import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { probePackets, probeStream } from '../support/ffprobe.ts';
import { pipeFmp4 } from '../support/fmp4-publisher.ts';
import { fetchMediaPlaylist, fetchMultivariant } from '../support/hls-client.ts';
import { HlsRecorder } from '../support/hls-recorder.ts';
import { LiveServer } from '../support/live-server.ts';
import { until } from '../support/poll.ts';
import { WsPublisher } from '../support/ws-publisher.ts';

/** Publishers whose stream breaks, jumps, or begins in pieces. */
describe('a live server', { concurrent: false }, () => {
  let server: LiveServer;

  beforeAll(async () => {
    server = await LiveServer.start();
  });

  afterAll(() => server.close());

  it('goes on when the line breaks without a word and the publisher comes back', async () => {
    const first = new FfmpegPublisher({ url: server.rtmpUrl('again'), size: '256x144', gop: 30 });
    await server.variants('again', 2);
    await first.kill();
    await until('the end of the first life', async () => {
      return (await fetchMediaPlaylist(server.mediaUrl('again', '144p')))?.ended === true;
    });
    const last = (await fetchMediaPlaylist(server.mediaUrl('again', '144p')))!.segments.at(-1)!;
    const second = new FfmpegPublisher({ url: server.rtmpUrl('again'), size: '256x144', gop: 30 });
    const playlist = await until('the second life', async () => {
      const found = await fetchMediaPlaylist(server.mediaUrl('again', '144p'));
      return found?.ended === false ? found : undefined;
    });
    expect(playlist.segments[0]!.msn).toBeGreaterThan(last.msn);
    expect((await fetch(last.url)).status).toBe(200);
    await second.kill();
  });

  it('lets a newer publisher with another picture size take over a frozen one: one discontinuity, everywhere at the same place', async () => {
    const frozen = new FfmpegPublisher({ url: server.rtmpUrl('size'), size: '426x240', gop: 30 });
    await server.variants('size', 3);
    const recorders = [
      ...['original', '240p', '144p'].map((name) => new HlsRecorder(server.mediaUrl('size', name))),
      new HlsRecorder(server.mediaUrl('size', 'audio', 'audio')),
    ];
    frozen.process.kill('SIGSTOP');
    const newer = await until('the takeover', async () => {
      const publisher = new FfmpegPublisher({ url: server.rtmpUrl('size'), size: '640x360', gop: 30, durationS: 7 });
      const refused = await Promise.race([publisher.exited, hasProgress(recorders[0]!)]);
      return refused === 'playing' ? publisher : undefined;
    });
    await newer.exited;
    await Promise.all(recorders.map(({ finished }) => finished));
    await frozen.kill();

    const places = recorders.map(({ segments }) => segments.filter((s) => s.discontinuity).map(({ msn }) => msn));
    expect(places[0]).toHaveLength(1);
    for (const place of places) expect(place).toEqual(places[0]);
    const original = recorders[0]!;
    const sizes = await Promise.all(
      [...original.inits.keys()].map(async (url) => (await probeStream(original.file(url))).height),
    );
    expect(sizes).toEqual([240, 360]);
    const rung = recorders[1]!;
    for (const url of rung.inits.keys()) expect((await probeStream(rung.file(url))).height).toBe(240);
  });

  it('survives a clock that jumps an hour ahead and back: a discontinuity in every rendition, nothing lost', async () => {
    const publisher = await WsPublisher.ready(server.wsUrl('jump'));
    const seconds = (offset: string) =>
      pipeFmp4(publisher, {
        inputs: [
          '-re',
          '-f',
          'lavfi',
          '-i',
          'testsrc2=size=256x144:rate=30',
          '-re',
          '-f',
          'lavfi',
          '-i',
          'sine',
          '-t',
          '4',
        ],
        codecs: [
          ...['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '30', '-pix_fmt', 'yuv420p', '-c:a', 'aac'],
          ...['-output_ts_offset', offset],
        ],
        movflags: 'empty_moov+default_base_moof+frag_keyframe+frag_discont+delay_moov',
      });
    const recorders = server
      .variants('jump', 2)
      .then(() => [
        new HlsRecorder(server.mediaUrl('jump', '144p')),
        new HlsRecorder(server.mediaUrl('jump', 'original')),
        new HlsRecorder(server.mediaUrl('jump', 'audio', 'audio')),
      ]);
    for (const offset of ['10', '3600', '0']) await seconds(offset);
    await publisher.end();
    const [rung, original, audio] = await recorders;
    await Promise.all([rung, original, audio].map((recorder) => recorder!.finished));
    const breaks = ({ segments }: HlsRecorder) => segments.filter((s) => s.discontinuity).map(({ msn }) => msn);
    expect(breaks(rung!)).toHaveLength(2);
    expect(breaks(original!)).toEqual(breaks(rung!));
    expect(breaks(audio!)).toEqual(breaks(rung!));
    expect([rung, original, audio].flatMap((recorder) => recorder!.segments.filter(({ gap }) => gap))).toEqual([]);
    const frames = await Promise.all(
      [...rung!.inits.keys()].map(async (url) => (await probePackets(rung!.file(url))).length),
    );
    expect(frames.reduce((sum, count) => sum + count)).toBe(360);
  });

  it('adds sound that begins 5 s after the picture, at its own time', async () => {
    const stream = { url: server.rtmpUrl('late'), size: '256x144', durationS: 12, audioDelayS: 5 };
    const publisher = new FfmpegPublisher(stream);
    const first = await server.variants('late', 2);
    expect(first.media).toEqual([]);
    const rung = new HlsRecorder(server.mediaUrl('late', '144p'));
    await until('the sound', async () => (await fetchMultivariant(server.multivariantUrl('late')))?.media.length === 1);
    const audio = new HlsRecorder(server.mediaUrl('late', 'audio', 'audio'));
    expect(await publisher.exited, publisher.stderr).toBe(0);
    await Promise.all([rung.finished, audio.finished]);
    const [pictures, sounds] = await Promise.all([probePackets(rung.file()), probePackets(audio.file())]);
    expect(pictures).toHaveLength(360);
    expect(sounds[0]!.ptsS - pictures[0]!.ptsS).toBeGreaterThan(4.8);
    for (const { msn } of audio.segments) expect(rung.segments.some((segment) => segment.msn === msn)).toBe(true);
  });
});

/** Resolves with `playing` once the playlist has a discontinuity: somebody else's media has arrived. */
async function hasProgress(recorder: HlsRecorder): Promise<'playing'> {
  await until('a discontinuity', () => recorder.segments.some(({ discontinuity }) => discontinuity), 20_000);
  return 'playing';
}
