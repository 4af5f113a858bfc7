import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { LiveServer } from '../support/live-server.ts';
import { until } from '../support/poll.ts';
import { type Measurement, quantile } from './measure.ts';

const FRAMES = 450;

const LADDER_720P = `
[[rendition]]
name = "720p"
width = 1280
height = 720
videoBitrateKbps = 2500
`;

/** From a source fragment's arrival in the registry to the arrival of the same picture, encoded as 720p. */
export async function measureTranscodeLatency(): Promise<Measurement[]> {
  const server = await LiveServer.start({ ladder: LADDER_720P });
  const stream = { size: '1920x1080', rate: 30, gop: 60, bFrames: 0, videoBitrateKbps: 5_000 };
  const publisher = new FfmpegPublisher({ ...stream, url: server.rtmpUrl('bench') });
  const arrivedAtMs = new Map<number, number>();
  const latenciesMs: number[] = [];
  const subscription = server.app.directory.opened$.subscribe((track) => {
    if (track.key.track !== 'video') return;
    track.fragments$.subscribe(({ firstPts }) => {
      const nowMs = performance.now();
      if (track.key.rendition === 'source') arrivedAtMs.set(firstPts, nowMs);
      else latenciesMs.push(nowMs - (arrivedAtMs.get(firstPts) ?? Number.NaN));
    });
  });
  await until(`${FRAMES} frames of 720p`, () => latenciesMs.length >= FRAMES, 60_000);
  subscription.unsubscribe();
  await publisher.kill();
  await server.close();
  const steady = latenciesMs.slice(60).filter((latency) => !Number.isNaN(latency));
  const note = `1080p30 without B-frames, ${steady.length} frames, p95 ${quantile(steady, 0.95).toFixed(0)} ms`;
  return [{ name: 'fragment in -> same pts out, 720p, p50', value: quantile(steady, 0.5), unit: 'ms', goal: 60, note }];
}
