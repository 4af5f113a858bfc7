import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RtmpServer } from '../../src/ingest/rtmp/rtmp-server.ts';
import { systemClock } from '../../src/util/clock.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { type RecordedPublication, RecordingGate } from '../support/rtmp-gate.ts';
import { ffmpegPublishArgs } from '../support/rtmp-media.ts';

let gate: RecordingGate;
let server: RtmpServer;
let url: string;
let child: ChildProcess | undefined;

beforeEach(async () => {
  gate = new RecordingGate();
  server = new RtmpServer({ gate, host: '127.0.0.1', port: 0, logger: silentLogger, clock: systemClock });
  const { port } = await server.listen();
  url = `rtmp://127.0.0.1:${port}/live/demo?key=secret`;
});

afterEach(async () => {
  child?.kill('SIGKILL');
  await server.close();
});

async function publish(seconds: number): Promise<RecordedPublication> {
  child = spawn('ffmpeg', ffmpegPublishArgs(url, { seconds, realtime: true }), {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return gate.publication();
}

function expectContinuous(publication: RecordedPublication): void {
  for (const track of [publication.video, publication.audio]) {
    for (let i = 1; i < track.length; i += 1) {
      const before = track[i - 1]!.frame;
      expect(track[i]!.frame.dts).toBeGreaterThan(before.dts);
    }
  }
}

describe('a real publisher in real time', () => {
  it('that is frozen for 4 s goes on in the same publication, and no frame is missing', async () => {
    const publication = await publish(4);
    await publication.until(({ video }) => video.length >= 30);
    child!.kill('SIGSTOP');
    await systemClock.wait(4000);
    const whileFrozen = publication.video.length;
    child!.kill('SIGCONT');
    await once(child!, 'exit');
    await publication.until(({ ended }) => ended);
    expect(publication.video.length).toBeGreaterThan(whileFrozen);
    expect(publication.video).toHaveLength(120);
    expect(gate.publications).toHaveLength(1);
    expectContinuous(publication);
  });

  it('that is killed ends its publication at once, and may come back', async () => {
    const first = await publish(30);
    await first.until(({ video }) => video.length >= 15);
    child!.kill('SIGKILL');
    await first.until(({ ended }) => ended);
    expectContinuous(first);
    child = spawn('ffmpeg', ffmpegPublishArgs(url, { seconds: 1, realtime: true }), { stdio: 'ignore' });
    const second = await gate.publication(1);
    await second.until(({ ended }) => ended);
    expect(second.video).toHaveLength(30);
  });
});
