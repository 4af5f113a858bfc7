import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { type FfmpegOnce, runFfmpegOnce } from '../../src/ffmpeg/one-shot.ts';
import { isRunning } from '../support/transcode-live.ts';

const QUIET = ['-loglevel', 'error'];
const COPY = { input: [...QUIET, '-f', 's16le', '-ar', '48000'], output: ['-f', 's16le'] };
const ENDLESS = { input: [...QUIET, '-re', '-f', 'lavfi'], output: ['-f', 'rawvideo'] };
const LIMITS = { maxOutputBytes: 1_000_000, timeoutMs: 15_000 };

function copy(changes: Partial<FfmpegOnce> = {}): Promise<Buffer> {
  return runFfmpegOnce({ binaryPath: 'ffmpeg', commandLine: COPY, input: undefined, ...LIMITS, ...changes });
}

/** Shows one pixel for ever; `tag` makes its process known. */
function endless(tag: string, changes: Partial<FfmpegOnce> = {}): Promise<Buffer> {
  return copy({ commandLine: ENDLESS, source: endlessSource(tag), ...changes });
}

function endlessSource(tag: string): string {
  return `color=size=16x16:rate=10,metadata=add:key=${tag}:value=1`;
}

/** Processes whose command line holds the text. */
function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && commandLineOf(pid).includes(text) && isRunning(pid));
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

describe('runFfmpegOnce', () => {
  it('gives all output for the whole input, in order, however it is cut', async () => {
    const sound = Buffer.from(Uint8Array.from({ length: 800_000 }, (_, index) => (index * 7) & 0xff));
    expect(await copy({ input: sound })).toEqual(sound);
    expect(await copy({ input: [sound.subarray(0, 300_000), sound.subarray(300_000)] })).toEqual(sound);
  });

  it('reads a source other than stdin', async () => {
    const commandLine = { input: [...QUIET, '-f', 'lavfi'], output: ['-frames:v', '1', '-f', 'rawvideo'] };
    const source = 'color=white:size=16x16,format=gray';
    expect(await copy({ commandLine, source })).toEqual(Buffer.alloc(256, 235));
  });

  it('gives what ffmpeg wrote when it needs less than the whole input', async () => {
    const commandLine = { ...COPY, output: ['-t', '0.01', '-f', 's16le'] };
    expect(await copy({ commandLine, input: Buffer.alloc(4_000_000) })).toHaveLength(960);
  });

  it('fails with what ffmpeg says about bad input', async () => {
    const commandLine = { input: [...QUIET, '-f', 'mp4'], output: ['-f', 'null'] };
    const failed = copy({ commandLine, input: Buffer.alloc(4_096, 'garbage') });
    await expect(failed).rejects.toMatchObject({ code: 'TRANSCODER_FAILED' });
    await expect(failed).rejects.toThrow(/gave no result: .*(moov atom not found|Invalid data)/);
  });

  it('takes exactly the bytes that it may, and not one more', async () => {
    const input = Buffer.alloc(10_000);
    expect(await copy({ input, maxOutputBytes: 10_000 })).toHaveLength(10_000);
    const failed = copy({ input, maxOutputBytes: 9_999 });
    await expect(failed).rejects.toThrow(/wrote more than 9999 bytes/);
  });

  it('ends a run that takes too long, and its process', async () => {
    await expect(endless('toolong', { timeoutMs: 1_500 })).rejects.toThrow(/took longer than 1500 ms/);
    expect(processesWith('toolong')).toEqual([]);
  });

  it('ends a run that is aborted, and its process', async () => {
    const controller = new AbortController();
    const run = endless('aborted', { signal: controller.signal });
    await vi.waitFor(() => expect(processesWith('aborted')).toHaveLength(1), 10_000);
    controller.abort();
    await expect(run).rejects.toThrow(/aborted/);
    expect(processesWith('aborted')).toEqual([]);
  });

  it('does not begin once it is aborted', async () => {
    await expect(copy({ input: Buffer.alloc(10), signal: AbortSignal.abort() })).rejects.toThrow(/aborted/);
  });

  it('does not wait for a process that is gone to take the rest of its input', async () => {
    const commandLine = { ...COPY, input: [...COPY.input, '-nonsense', '1'] };
    const failed = copy({ commandLine, input: Array.from({ length: 64 }, () => Buffer.alloc(256_000)) });
    await expect(failed).rejects.toThrow(/nonsense/);
  });

  it('reports a binary that cannot be run', async () => {
    await expect(copy({ binaryPath: '/nonexistent/ffmpeg' })).rejects.toThrow(/ENOENT/);
    // fluent-ffmpeg remembers the path for the whole process.
    await copy({ input: Buffer.alloc(10) });
  });

  it('leaves no process behind when this process is killed', async () => {
    const script = `
      const { runFfmpegOnce } = await import(${JSON.stringify(new URL('../../src/ffmpeg/one-shot.ts', import.meta.url))});
      await runFfmpegOnce(${JSON.stringify({ binaryPath: 'ffmpeg', commandLine: ENDLESS, source: endlessSource('orphan'), ...LIMITS, timeoutMs: 60_000 })});
    `;
    const args = ['--import', 'tsx', '--input-type=module', '-e', script];
    const parent = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    await vi.waitFor(() => expect(childrenOf(parent.pid!)).toHaveLength(1), 15_000);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await vi.waitFor(() => expect(processesWith('key=orphan')).toEqual([]), 15_000);
  });
});

/** The ffmpeg processes that a process has started. */
function childrenOf(parent: number): number[] {
  return processesWith('key=orphan').filter((pid) =>
    readFileSync(`/proc/${pid}/status`, 'utf8').includes(`PPid:\t${parent}\n`),
  );
}
