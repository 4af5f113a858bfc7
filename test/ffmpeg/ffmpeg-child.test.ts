import { afterEach, describe, expect, it } from 'vitest';
import { FfmpegChild } from '../../src/ffmpeg/ffmpeg-child.ts';
import { isRunning } from '../support/transcode-live.ts';

const COPY = { input: ['-loglevel', 'error', '-f', 's16le', '-ar', '48000'], output: ['-f', 's16le'] };

let child: FfmpegChild;
afterEach(() => child.kill());

function open(binaryPath = 'ffmpeg', commandLine = COPY): { received: () => number; warnings: string[] } {
  let received = 0;
  const warnings: string[] = [];
  child = new FfmpegChild({
    ...{ binaryPath, commandLine },
    onOutput: (chunk) => (received += chunk.length),
    onWarning: (line) => warnings.push(line),
  });
  return { received: () => received, warnings };
}

describe('FfmpegChild', () => {
  it('hands on all output by the time it is done', async () => {
    const { received } = open();
    await child.start();
    for (let i = 0; i < 50; i++) await child.write(Buffer.alloc(96_000));
    child.end();
    expect(await child.done).toEqual({ failure: undefined });
    expect(received()).toBe(50 * 96_000);
  });

  it('tells why a process failed, in its own words', async () => {
    open('ffmpeg', { input: ['-f', 'mp4'], output: ['-f', 'null'] });
    await child.start();
    await child.write(Buffer.alloc(4_096, 'garbage'));
    child.end();
    const { failure } = await child.done;
    expect(failure).toMatch(/exited with code 1/);
    expect(failure).toMatch(/moov atom not found|Invalid data/);
  });

  it('lets a writer wait while the process takes nothing, and frees it when the process is killed', async () => {
    open();
    await child.start();
    process.kill(child.pid!, 'SIGSTOP');
    let waiting: void | Promise<void> = undefined;
    let written = 0;
    while (waiting === undefined) {
      waiting = child.write(Buffer.alloc(64_000));
      written += 64_000;
    }
    expect(written).toBeLessThan(4_000_000);
    await child.kill();
    await waiting;
    expect(child.write(Buffer.alloc(10))).toBeUndefined();
  });

  it('kills a process that is only about to start', async () => {
    open();
    const started = child.start().catch(() => undefined);
    await child.kill();
    await started;
    expect(child.pid === undefined || !isRunning(child.pid)).toBe(true);
  });

  it('does not start once it was killed', async () => {
    open();
    await child.kill();
    await expect(child.start()).rejects.toMatchObject({ code: 'TRANSCODER_FAILED' });
  });

  it('reports a binary that cannot be run', async () => {
    open('/nonexistent/ffmpeg');
    await expect(child.start()).rejects.toMatchObject({ code: 'TRANSCODER_FAILED' });
    expect((await child.done).failure).toMatch(/ENOENT/);
    // fluent-ffmpeg remembers the path for the whole process.
    open();
    await child.start();
  });
});
