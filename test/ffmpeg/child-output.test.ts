import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { FfmpegChild } from '../../src/ffmpeg/ffmpeg-child.ts';
import { until } from '../support/poll.ts';
import { isRunning } from '../support/transcode-live.ts';

/** Pictures without end, as fast as they are taken. */
const ENDLESS = { input: ['-loglevel', 'error', '-f', 'lavfi'], output: ['-f', 'rawvideo'] };
const PICTURE = 'color=size=320x240:rate=25,format=gray';
/** What a pipe and the streams on its way may hold. */
const HELD_BYTES = 1_000_000;

let child: FfmpegChild;
afterEach(() => child.kill());

async function start(source = PICTURE, output = ENDLESS.output): Promise<{ received: () => number }> {
  let received = 0;
  child = new FfmpegChild({
    ...{ binaryPath: 'ffmpeg', commandLine: { ...ENDLESS, output }, source },
    onOutput: (chunk) => (received += chunk.length),
    onWarning: () => undefined,
  });
  await child.start();
  return { received: () => received };
}

/** Processor time that the child has used, in ticks of the system. */
function processorTicks(): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

function writtenBytes(): number {
  return Number(/^wchar: (\d+)/m.exec(readFileSync(`/proc/${child.pid}/io`, 'utf8'))![1]);
}

/** Resolves once the child has used no processor while it was looked at several times. */
async function untilIdle(): Promise<void> {
  let ticks = -1;
  let same = 0;
  await until('the child to be idle', () => {
    const now = processorTicks();
    same = now === ticks ? same + 1 : 0;
    ticks = now;
    return same >= 6;
  });
}

describe('the output of FfmpegChild', () => {
  it('stays in the pipe while it is paused: the process waits, uses no processor, and goes on afterwards', async () => {
    const { received } = await start();
    await until('output', () => received() > 1_000_000);
    child.pauseOutput();
    const atPause = received();
    await untilIdle();
    expect(received()).toBe(atPause);
    const written = writtenBytes();
    expect(written - atPause).toBeLessThan(HELD_BYTES);
    await untilIdle();
    expect(writtenBytes()).toBe(written);
    child.resumeOutput();
    await until('output', () => received() > atPause + 10 * HELD_BYTES);
  });

  it('is all handed on by a process that ends while it is paused', async () => {
    const { received } = await start(PICTURE, ['-frames:v', '1', '-f', 'rawvideo']);
    child.pauseOutput();
    await until('its end', () => !isRunning(child.pid!));
    child.resumeOutput();
    expect(await child.done).toEqual({ failure: undefined });
    expect(received()).toBe(320 * 240);
  });

  it.each(['paused', 'running'])('is discarded when a %s process is stopped, which ends by itself', async (state) => {
    const { received } = await start();
    await until('output', () => received() > 100_000);
    if (state === 'paused') {
      child.pauseOutput();
      await untilIdle();
    }
    const stopped = child.stop(30_000);
    const atStop = received();
    child.pauseOutput();
    await stopped;
    expect((await child.done).failure).toMatch(/code 255|signal SIGTERM/);
    expect(isRunning(child.pid!)).toBe(false);
    expect(received()).toBe(atStop);
  });

  it('does not keep a process from being killed once it has not ended in time', async () => {
    const { received } = await start();
    await until('output', () => received() > 100_000);
    process.kill(child.pid!, 'SIGSTOP');
    await child.stop(100);
    expect((await child.done).failure).toMatch(/SIGKILL/);
    expect(isRunning(child.pid!)).toBe(false);
  });

  it('does not keep a paused process from being killed', async () => {
    const { received } = await start();
    await until('output', () => received() > 100_000);
    child.pauseOutput();
    await child.kill();
    expect(isRunning(child.pid!)).toBe(false);
    await child.stop(10);
  });

  it('never comes from a process that is stopped before it was started', async () => {
    child = new FfmpegChild({
      ...{ binaryPath: 'ffmpeg', commandLine: ENDLESS, source: PICTURE },
      ...{ onOutput: () => undefined, onWarning: () => undefined },
    });
    const started = child.start();
    await child.stop(10);
    await started.catch(() => undefined);
    expect(child.pid === undefined || !isRunning(child.pid)).toBe(true);
  });
});
