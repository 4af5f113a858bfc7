import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BreakableLink } from '../support/breakable-link.ts';
import { FfmpegPublisher, type TestStream } from '../support/ffmpeg-publisher.ts';
import { decodeErrors, probeStream } from '../support/ffprobe.ts';
import { pipeFmp4 } from '../support/fmp4-publisher.ts';
import { fetchMediaPlaylist } from '../support/hls-client.ts';
import { LiveServer } from '../support/live-server.ts';
import { dateAt, WatchedBroadcast } from '../support/watched-broadcast.ts';
import { WsPublisher } from '../support/ws-publisher.ts';

const RUNGS = ['original', '240p', '144p'];
const STREAM = { size: '480x270', gop: 60, bFrames: 2 } satisfies Partial<TestStream>;

/** Publishers that vanish and come back, against a whole server with real encoders. */
describe('a live broadcast', { concurrent: false }, () => {
  let server: LiveServer;

  beforeAll(async () => {
    const short = ['[[broadcasts]]', 'broadcast = "live/short"', 'graceMs = 1000'];
    server = await LiveServer.start({ publish: { graceMs: 60_000 }, settings: short.join('\n') });
  });

  afterAll(() => server.close());

  it.each(['killed', 'reset'])(
    'goes on when its publisher is %s and comes back: one break, the same in all',
    async (how) => {
      const link = await BreakableLink.to(Number(new URL(server.app.rtmpUrl).port));
      const url = server.rtmpUrl(how).replace(/:\d+\//, `:${link.port}/`);
      const first = new FfmpegPublisher({ ...STREAM, url });
      const watched = await WatchedBroadcast.begin(server, how, RUNGS);
      if (how === 'reset') link.reset();
      else await first.kill();
      const { waitingUntil } = await watched.inState('waiting');
      expect(Date.parse(waitingUntil!) - Date.now()).toBeGreaterThan(45_000);
      for (const rung of RUNGS) expect((await fetchMediaPlaylist(server.mediaUrl(how, rung)))?.ended).toBe(false);

      const backAtMs = Date.now();
      const second = new FfmpegPublisher({ ...STREAM, url, size: '640x360' });
      await watched.grown(1, 1);
      await watched.end();
      await Promise.all([first.kill(), second.kill(), link.close()]);

      const [place, ...more] = watched.agreedBreaks();
      expect(more).toEqual([]);
      const afterMs = dateAt(watched.recorders[0]!.segments, place!)! - backAtMs;
      expect(afterMs).toBeGreaterThan(0);
      expect(afterMs).toBeLessThan(15_000);
      for (const recorder of watched.recorders) {
        expect(recorder.inits.size).toBe(2);
        for (const init of recorder.inits.keys()) expect(await decodeErrors(recorder.file(init))).toBe('');
      }
      const heights = [...watched.recorders[0]!.inits.keys()].map(async (init) => {
        return (await probeStream(watched.recorders[0]!.file(init))).height;
      });
      expect(await Promise.all(heights)).toEqual([270, 360]);
    },
  );

  it('goes on when its publisher comes back over WebSocket with another sound codec', async () => {
    const first = new FfmpegPublisher({ ...STREAM, url: server.rtmpUrl('other') });
    const watched = await WatchedBroadcast.begin(server, 'other', RUNGS);
    await first.stop();
    await watched.inState('waiting');
    const second = await WsPublisher.ready(server.wsUrl('other'));
    const pace = ['-re', '-f', 'lavfi', '-i'];
    const piping = pipeFmp4(second, {
      inputs: [...pace, 'testsrc2=size=480x270:rate=30', ...pace, 'sine', '-t', '7'],
      codecs: ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '60', '-pix_fmt', 'yuv420p', '-c:a', 'libopus'],
    });
    await watched.grown(2, 1);
    await watched.end();
    await piping.catch(() => undefined);
    expect(watched.agreedBreaks()).toHaveLength(1);
    const sound = watched.recorders.at(-1)!;
    for (const init of sound.inits.keys()) expect((await probeStream(sound.file(init))).codec).toBe('aac');
  });

  it('ends when the grace time is over', async () => {
    const publisher = new FfmpegPublisher({ ...STREAM, url: server.rtmpUrl('short') });
    const watched = await WatchedBroadcast.begin(server, 'short', RUNGS);
    await publisher.kill();
    await watched.finished();
    expect(await watched.view()).toMatchObject({ state: 'ended' });
  });
});
