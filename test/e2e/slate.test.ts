import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FfmpegPublisher, type TestStream } from '../support/ffmpeg-publisher.ts';
import { decodeErrors, probePackets } from '../support/ffprobe.ts';
import { LiveServer } from '../support/live-server.ts';
import { until } from '../support/poll.ts';
import { breaks, WatchedBroadcast } from '../support/watched-broadcast.ts';

const RUNGS = ['original', '240p', '144p'];
const STREAM = { size: '480x270', gop: 30, bFrames: 2 } satisfies Partial<TestStream>;

/** Slates in a whole server with real encoders. */
describe('a live broadcast with a slate', { concurrent: false }, () => {
  let server: LiveServer;

  beforeAll(async () => {
    server = await LiveServer.start({ publish: { graceMs: 60_000, slate: true } });
  });

  afterAll(() => server.close());

  it('shows it in every rung and the sound in real time, then the publisher again', async () => {
    const first = new FfmpegPublisher({ ...STREAM, url: server.rtmpUrl('gone') });
    const watched = await WatchedBroadcast.begin(server, 'gone', RUNGS);
    const lostAtMs = Date.now();
    await first.kill();
    await until('the slate', async () => (await watched.view()).slate === true);
    await watched.grown(3, 1);
    const slateMs = Date.now() - lostAtMs;
    expect(await watched.view()).toMatchObject({ state: 'waiting' });
    for (const { segments } of watched.recorders) {
      const shown = segments.filter(({ msn }) => msn >= breaks(segments)[0]!);
      expect(shown.reduce((sum, { durationS }) => sum + durationS * 1000, 0)).toBeLessThanOrEqual(slateMs);
    }

    const second = new FfmpegPublisher({ ...STREAM, url: server.rtmpUrl('gone') });
    await watched.grown(1, 2);
    await watched.end();
    await second.kill();

    expect(watched.agreedBreaks()).toHaveLength(2);
    for (const recorder of watched.recorders) {
      expect(recorder.inits.size).toBe(3);
      for (const init of recorder.inits.keys()) expect(await decodeErrors(recorder.file(init))).toBe('');
    }
    const [original] = watched.recorders;
    const packets = await probePackets(original!.file([...original!.inits.keys()][1]));
    for (const [index, { ptsS, dtsS }] of packets.entries()) {
      expect(ptsS).toBe(dtsS);
      expect(ptsS).toBeCloseTo(index / 30, 3);
    }
  });

  it('shows it while its publisher is frozen, and goes on with the publisher', async () => {
    const publisher = new FfmpegPublisher({ ...STREAM, url: server.rtmpUrl('frozen') });
    const watched = await WatchedBroadcast.begin(server, 'frozen', RUNGS);
    publisher.process.kill('SIGSTOP');
    await watched.grown(1, 1);
    expect(await watched.view()).toMatchObject({ state: 'live' });
    publisher.process.kill('SIGCONT');
    await watched.grown(1, 2);
    await watched.end();
    await publisher.kill();
    expect(watched.agreedBreaks()).toHaveLength(2);
  });
});
