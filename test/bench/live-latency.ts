import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { LiveServer } from '../support/live-server.ts';
import { LowLatencyClient, type ReceivedPart } from '../support/ll-client.ts';
import { until } from '../support/poll.ts';
import { type Measurement, quantile } from './measure.ts';

const PARTS = 60;
const WARM_UP_PARTS = 8;
const PART_TARGET_MS = 500;
const SAMPLE_MS = 5;

/** How far the newest media that a blocking client has is behind the source's clock, over the whole time and not only when it arrives. */
export async function measureLiveLatency(): Promise<Measurement[]> {
  const server = await LiveServer.start();
  const publisher = new FfmpegPublisher({ url: server.rtmpUrl('bench'), bFrames: 0 });
  const offsetsMs: number[] = [];
  server.app.directory.opened$.subscribe(({ key, fragments$ }) => {
    if (key.track !== 'video' || key.rendition !== 'source') return;
    fragments$.subscribe(({ baseDecodeTime, init }) => {
      offsetsMs.push(performance.now() - (baseDecodeTime * 1000) / init.timescale);
    });
  });
  await server.variants('bench', 3);
  const rungs = ['original', '240p', '144p'];
  const clients = rungs.map((rung) => new LowLatencyClient(server.mediaUrl('bench', rung)));
  await until(`${PARTS} parts of each rung`, () => clients.every(({ parts }) => parts.length >= PARTS), 120_000);
  await Promise.all(clients.map((client) => client.stop()));
  await publisher.kill();
  await server.close();
  // The earliest arrival is the source's clock; what comes later was late already.
  const offsetMs = Math.min(...offsetsMs.slice(30));
  return rungs.map((rung, index) => {
    const parts = clients[index]?.parts.slice(WARM_UP_PARTS) ?? [];
    const fresh = parts.map(({ receivedAtMs, endMs }) => receivedAtMs - offsetMs - endMs);
    return {
      name: `newest media behind the source's clock, ${rung}, p95`,
      value: quantile(agesMs(parts, offsetMs), 0.95),
      unit: 'ms',
      goal: PART_TARGET_MS + (rung === 'original' ? 150 : 350),
      note: `640x360p30, 0.5 s parts, ${parts.length} of them; at arrival p50 ${quantile(fresh, 0.5).toFixed(0)} ms, p95 ${quantile(fresh, 0.95).toFixed(0)} ms`,
    };
  });
}

/** The age of the newest part at regular moments, the oldest just before its successor arrives. */
function agesMs(parts: readonly ReceivedPart[], offsetMs: number): number[] {
  return parts.slice(0, -1).flatMap(({ receivedAtMs, endMs }, index) => {
    const untilMs = parts[index + 1]?.receivedAtMs ?? receivedAtMs;
    const moments = Math.max(1, Math.floor((untilMs - receivedAtMs) / SAMPLE_MS));
    return Array.from({ length: moments }, (_, moment) => receivedAtMs + moment * SAMPLE_MS - offsetMs - endMs);
  });
}
