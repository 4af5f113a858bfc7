import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { fetchMultivariant } from '../support/hls-client.ts';
import { videoVariants } from '../support/live-server.ts';
import { until } from '../support/poll.ts';
import { cpuSeconds, type Measurement } from './measure.ts';
import { ServerProcess } from './server-process.ts';

const SECONDS = 20;

/** CPU of the server's own process, encoders excluded, for one broadcast with the default ladder. */
export async function measureCpu(): Promise<Measurement[]> {
  const server = await ServerProcess.start();
  try {
    const url = server.rtmpUrl('bench');
    const publisher = new FfmpegPublisher({ url, size: '1920x1080', gop: 60, bFrames: 0, videoBitrateKbps: 5_000 });
    const playlist = `${server.httpUrl}/hls/live/bench/index.m3u8`;
    await until('four rungs', async () => videoVariants(await fetchMultivariant(playlist)).length === 4, 60_000);
    const [beforeS, startedMs] = [await cpuSeconds(server.pid), performance.now()];
    await until(`${SECONDS} s to pass`, () => performance.now() - startedMs > SECONDS * 1000, 60_000);
    const share = (await cpuSeconds(server.pid)) - beforeS;
    const value = (share / ((performance.now() - startedMs) / 1000)) * 100;
    await publisher.kill();
    const note = `5 Mbit/s 1080p30, passthrough + 720p + 480p + 240p, ${SECONDS} s, /proc/PID/stat`;
    return [{ name: 'CPU of the Node process', value, unit: '% of a core', goal: 8, note }];
  } finally {
    await server.close();
  }
}
