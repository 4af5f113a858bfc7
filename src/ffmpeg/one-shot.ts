import os from 'node:os';
import { AppError, reasonOf } from '../util/errors.ts';
import type { FfmpegSource } from './ffmpeg-source.ts';
import { FfmpegChild, type FfmpegCommandLine } from './ffmpeg-child.ts';

/** One run of ffmpeg from a whole input to a whole output. */
export interface FfmpegOnce {
  readonly binaryPath: string;
  readonly commandLine: FfmpegCommandLine;
  /** What is written to stdin, in order. */
  readonly input: Buffer | readonly Buffer[] | undefined;
  /** What ffmpeg reads instead of stdin, see `ChildOptions.source`; `input` is then left out. */
  readonly source?: FfmpegSource | string;
  /** More output than this ends the run as a failure. */
  readonly maxOutputBytes: number;
  readonly timeoutMs: number;
  /** Ends the run when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs ffmpeg once and resolves with all that it wrote to stdout. When the promise settles, its process is gone; should
 * this process die first, ffmpeg ends by itself.
 * @throws AppError `TRANSCODER_FAILED` if it cannot be run, fails, takes too long, writes too much or is aborted.
 */
export async function runFfmpegOnce(run: FfmpegOnce): Promise<Buffer> {
  const { binaryPath, commandLine, source, maxOutputBytes, timeoutMs, signal } = run;
  const output: Buffer[] = [];
  let outputBytes = 0;
  let stopReason: string | undefined;
  const stop = (reason: string): void => {
    stopReason ??= reason;
    void child.kill();
  };
  const child = new FfmpegChild({
    binaryPath,
    commandLine: { ...commandLine, input: [...cpuLimit(timeoutMs), ...commandLine.input] },
    ...(source !== undefined && { source }),
    onOutput: (chunk) => {
      outputBytes += chunk.length;
      if (outputBytes <= maxOutputBytes) output.push(chunk);
      else stop(`it wrote more than ${maxOutputBytes} bytes`);
    },
    onWarning: () => undefined,
  });
  const onAbort = (): void => stop('it was aborted');
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => stop(`it took longer than ${timeoutMs} ms`), timeoutMs);
  try {
    if (signal?.aborted === true) onAbort();
    await child.start();
    for (const piece of pieces(run)) await child.write(piece);
    child.end();
    const { failure } = await child.done;
    if (failure !== undefined) throw new AppError('TRANSCODER_FAILED', failure);
    if (stopReason === undefined) return Buffer.concat(output);
    throw new AppError('TRANSCODER_FAILED', stopReason);
  } catch (thrown) {
    throw new AppError('TRANSCODER_FAILED', `ffmpeg gave no result: ${stopReason ?? reasonOf(thrown)}`);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    await child.kill();
  }
}

function pieces({ input, source }: FfmpegOnce): readonly Buffer[] {
  if (input === undefined || source !== undefined) return [];
  return Buffer.isBuffer(input) ? [input] : input;
}

/** A child without stdin would outlive a killed server if its source had no end; it gets no more CPU than a run may take. */
function cpuLimit(timeoutMs: number): string[] {
  return ['-timelimit', String(Math.ceil(timeoutMs / 1000) * os.availableParallelism())];
}
