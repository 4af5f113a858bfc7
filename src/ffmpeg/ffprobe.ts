import { execFile, spawn } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { AppError, reasonOf } from '../util/errors.ts';
import { cleanLine, type FfmpegSource } from './ffmpeg-source.ts';
import { childEnvironment, deathBoundLaunch } from './launcher.ts';

const runOnce = promisify(execFile);
const VERSION_TIMEOUT_MS = 10_000;
const STDERR_CHARS = 8_192;
const STDERR_LINES = 3;
/** What a launcher exits with when the program cannot be executed. */
const NOT_EXECUTED = 127;
const DEFAULT_LINE_BYTES = 4_096;

/** One run of ffprobe. */
export interface FfprobeRun {
  /** See `findFfprobe()`. */
  readonly binaryPath: string;
  /** What to show, e.g. `['-show_format', '-of', 'json']`. */
  readonly args: readonly string[];
  /** What to look at; stays the caller's, who releases it afterwards. */
  readonly input: FfmpegSource;
  readonly timeoutMs: number;
  /** More output than this ends the run as a failure. */
  readonly maxOutputBytes: number;
  /** Ends the run when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** One run of ffprobe whose output is taken line by line, so that it is never held whole. */
export interface FfprobeLines extends FfprobeRun {
  /** Takes each line, without its end; what it throws ends the run and is thrown on. */
  readonly onLine: (line: string) => void;
  /** A longer line ends the run as a failure; 4096 if left out. */
  readonly maxLineBytes?: number;
}

/**
 * The ffprobe that belongs to an ffmpeg: the one beside it, else the one on PATH.
 * @throws AppError `UNAVAILABLE` if neither can be run
 */
export async function findFfprobe(ffmpegPath: string): Promise<string> {
  const candidates = [...new Set([siblingOf(ffmpegPath), path.join(path.dirname(ffmpegPath), 'ffprobe'), 'ffprobe'])];
  for (const candidate of candidates) {
    try {
      const { stdout } = await runOnce(candidate, ['-version'], { timeout: VERSION_TIMEOUT_MS });
      if (stdout.startsWith('ffprobe version')) return candidate;
    } catch {
      // The next one may do.
    }
  }
  throw new AppError(
    'UNAVAILABLE',
    `no ffprobe beside ffmpeg "${ffmpegPath}" nor on PATH; install it, files cannot be played without it`,
  );
}

/**
 * Runs ffprobe and resolves with all that it wrote to stdout. When the promise settles, its process is gone.
 * @throws AppError `BAD_MEDIA` if it fails, takes too long or writes too much, `UNAVAILABLE` if it cannot be run or is
 *   aborted
 */
export async function runFfprobe(run: FfprobeRun): Promise<Buffer> {
  const output: Buffer[] = [];
  await probe(run, (chunk) => output.push(chunk));
  return Buffer.concat(output);
}

/** Runs ffprobe and hands on its output line by line; otherwise as `runFfprobe()`. */
export async function readFfprobeLines(run: FfprobeLines): Promise<void> {
  const { onLine, maxLineBytes = DEFAULT_LINE_BYTES } = run;
  const pending: Buffer[] = [];
  let pendingBytes = 0;
  const take = (piece: Buffer): string => {
    const line = Buffer.concat([...pending.splice(0), piece]).toString('utf8');
    pendingBytes = 0;
    return line;
  };
  await probe(run, (chunk) => {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; from = end + 1, end = chunk.indexOf(10, from)) {
      checkLine(pendingBytes + end - from, maxLineBytes);
      onLine(take(chunk.subarray(from, end)));
    }
    pending.push(chunk.subarray(from));
    pendingBytes += chunk.length - from;
    checkLine(pendingBytes, maxLineBytes);
  });
  if (pendingBytes > 0) onLine(take(Buffer.alloc(0)));
}

function checkLine(lengthBytes: number, maxLineBytes: number): void {
  if (lengthBytes > maxLineBytes) {
    throw new AppError('BAD_MEDIA', `ffprobe wrote a line of more than ${maxLineBytes} bytes about the source`);
  }
}

async function probe(run: FfprobeRun, onOutput: (chunk: Buffer) => void): Promise<void> {
  const { binaryPath, args, input, timeoutMs, maxOutputBytes, signal } = run;
  const launch = await deathBoundLaunch(binaryPath);
  if (signal?.aborted === true) throw aborted();
  const child = spawn(launch.path, [...launch.args, '-v', 'error', ...input.options, ...args, '-i', input.url], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: childEnvironment(),
    windowsHide: true,
  });
  let failure: unknown;
  const fail = (error: unknown): void => {
    failure ??= error;
    child.kill('SIGKILL');
    child.stdout.destroy();
    child.stderr.destroy();
  };
  let outputBytes = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    if (failure !== undefined) return;
    outputBytes += chunk.length;
    try {
      if (outputBytes <= maxOutputBytes) onOutput(chunk);
      else fail(new AppError('BAD_MEDIA', `ffprobe wrote more than ${maxOutputBytes} bytes about the source`));
    } catch (thrown) {
      fail(thrown);
    }
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-STDERR_CHARS)));
  const onAbort = (): void => fail(aborted());
  signal?.addEventListener('abort', onAbort, { once: true });
  const tooLong = new AppError('BAD_MEDIA', `ffprobe took longer than ${timeoutMs} ms for the source`);
  const timer = setTimeout(() => fail(tooLong), timeoutMs);
  try {
    const code = await new Promise<number | null>((resolve) => {
      child.on('error', (error) => {
        fail(new AppError('UNAVAILABLE', `ffprobe cannot be run: ${reasonOf(error)}`));
        resolve(null);
      });
      child.on('close', resolve);
    });
    if (failure !== undefined) throw failure as Error;
    if (code === NOT_EXECUTED && launch.path !== binaryPath) {
      throw new AppError('UNAVAILABLE', `ffprobe "${binaryPath}" cannot be run`);
    }
    if (code !== 0) throw new AppError('BAD_MEDIA', `the source cannot be read: ${lastLines(stderr, input.url)}`);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function aborted(): AppError {
  return new AppError('UNAVAILABLE', 'ffprobe was aborted');
}

function lastLines(stderr: string, url: string): string {
  const lines = stderr.replaceAll(url, 'the source').split('\n');
  const last = lines.map((line) => cleanLine(line).trim()).filter((line) => line !== '');
  return last.slice(-STDERR_LINES).join(' | ') || 'ffprobe tells no reason';
}

/** `/opt/bin/ffmpeg-7` has its `/opt/bin/ffprobe-7`. */
function siblingOf(ffmpegPath: string): string {
  return path.join(path.dirname(ffmpegPath), path.basename(ffmpegPath).replace('ffmpeg', 'ffprobe'));
}
