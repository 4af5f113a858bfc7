import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { FfmpegPublisher } from '../support/ffmpeg-publisher.ts';
import { fetchMultivariant } from '../support/hls-client.ts';
import { videoVariants } from '../support/live-server.ts';
import { until } from '../support/poll.ts';
import { cpuSeconds, type Measurement } from './measure.ts';

const SECONDS = 20;

interface Ready {
  readonly msg: string;
  readonly rtmpUrl: string;
  readonly httpUrl: string;
}

/** CPU of the server's own process, encoders excluded, for one broadcast with the default ladder. */
export async function measureCpu(): Promise<Measurement[]> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-bench-'));
  const root = path.resolve(import.meta.dirname, '../..');
  const flags = ['--host', '127.0.0.1', '--rtmp-port', '0', '--http-port', '0', '--data-dir', folder];
  const server = spawn(process.execPath, [path.join(root, 'dist/cli.js'), ...flags], {
    cwd: folder,
    env: { ...process.env, LADDERCAST_STREAM_KEY: 'bench-stream-key' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const ready = await readyLine(server.stdout);
    const url = `${ready.rtmpUrl}/live/bench?key=bench-stream-key`;
    const publisher = new FfmpegPublisher({ url, size: '1920x1080', gop: 60, bFrames: 0, videoBitrateKbps: 5_000 });
    const playlist = `${ready.httpUrl}/hls/live/bench/index.m3u8`;
    await until('four rungs', async () => videoVariants(await fetchMultivariant(playlist)).length === 4, 60_000);
    const [beforeS, startedMs] = [await cpuSeconds(server.pid!), performance.now()];
    await until(`${SECONDS} s to pass`, () => performance.now() - startedMs > SECONDS * 1000, 60_000);
    const share = (await cpuSeconds(server.pid!)) - beforeS;
    const value = (share / ((performance.now() - startedMs) / 1000)) * 100;
    await publisher.kill();
    const note = `5 Mbit/s 1080p30, passthrough + 720p + 480p + 240p, ${SECONDS} s, /proc/PID/stat`;
    return [{ name: 'CPU of the Node process', value, unit: '% of a core', goal: 8, note }];
  } finally {
    server.kill('SIGTERM');
    if (server.exitCode === null) await once(server, 'exit');
    await rm(folder, { recursive: true, force: true });
  }
}

async function readyLine(stdout: NodeJS.ReadableStream): Promise<Ready> {
  for await (const line of createInterface(stdout)) {
    if (!line.startsWith('{')) continue;
    const entry = JSON.parse(line) as Ready;
    if (entry.msg !== 'ready') continue;
    stdout.resume();
    return entry;
  }
  throw new Error('the server ended before it was ready');
}
