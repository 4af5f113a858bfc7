import { afterEach, describe, expect, it } from 'vitest';
import { FfmpegChild } from '../../src/ffmpeg/ffmpeg-child.ts';
import { until } from '../support/poll.ts';
import { isRunning } from '../support/transcode-live.ts';

const RAW = ['-f', 'rawvideo'];
const PICTURE_BYTES = 64 * 36;

let child: FfmpegChild;
afterEach(() => child.kill());

/** A child that writes grey pictures to stdout and as many that are half as wide to the next pipe. */
async function start(frames: number | undefined): Promise<{ received: number[] }> {
  const received = [0, 0];
  const limit = frames === undefined ? [] : ['-frames:v', String(frames)];
  child = new FfmpegChild({
    binaryPath: 'ffmpeg',
    commandLine: { input: ['-loglevel', 'error', '-f', 'lavfi'], output: [...limit, ...RAW] },
    source: 'color=size=64x36:rate=25,format=gray',
    onOutput: (chunk) => (received[0]! += chunk.length),
    furtherOutputs: [
      { options: [...limit, '-vf', 'scale=32:36', ...RAW], onOutput: (chunk) => (received[1]! += chunk.length) },
    ],
    onWarning: () => undefined,
  });
  await child.start();
  return { received };
}

describe('the further outputs of FfmpegChild', () => {
  it('come each on a pipe of its own, and all of them have ended when the child is done', async () => {
    const { received } = await start(500);
    expect(await child.done).toEqual({ failure: undefined });
    expect(received).toEqual([500 * PICTURE_BYTES, (500 * PICTURE_BYTES) / 2]);
  });

  it('pause and go on together', async () => {
    const { received } = await start(undefined);
    await until('output', () => received.every((bytes) => bytes > 1_000_000));
    child.pauseOutput();
    const atPause = [...received];
    let written = -1;
    // Pipes and streams hold some of it; ffmpeg waits once they are full.
    await until('the child to wait', () => {
      const before = written;
      written = received[0]! + received[1]!;
      return before === written;
    });
    expect(received).toEqual(atPause);
    child.resumeOutput();
    await until('more output', () => received.every((bytes, index) => bytes > atPause[index]! + 1_000_000));
  });

  it('are discarded when the child is stopped or killed, paused or not', async () => {
    for (const end of [() => child.stop(20_000), () => child.kill()]) {
      const { received } = await start(undefined);
      await until('output', () => received.every((bytes) => bytes > 100_000));
      child.pauseOutput();
      const ended = end();
      const atEnd = [...received];
      await ended;
      expect(isRunning(child.pid!)).toBe(false);
      expect(received).toEqual(atEnd);
    }
  });
});
