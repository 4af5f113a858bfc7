import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { AppError, reasonOf } from '../util/errors.ts';
import { type DisplayStream, megabytes, openDisplay, type Pace } from './progress-display.ts';
import { type EncodeProgress, VodClient } from './vod-client.ts';

/** What is to be encoded, and where. */
export interface PreEncodeOptions {
  /** As on the command line: paths, sources as the server's media listing names them, or URLs. */
  readonly files: readonly string[];
  /** Of a running server. */
  readonly baseUrl: string;
  readonly adminToken: string;
  readonly output: DisplayStream;
  /** Ends it in an orderly way: encoders end, what is encoded stays. */
  readonly signal: AbortSignal;
  /** Paths are relative to it; default: the process's. */
  readonly cwd?: string;
}

/** As a shell tells that a program was interrupted. */
const INTERRUPTED = 130;
const LEAST_MEASURED_MS = 500;

/**
 * Fills a server's cache with every rendition of each file, one file after the other, and shows how far it is.
 * @returns the exit code: 0 if every file is complete, 1 if one failed, 130 if it was interrupted
 */
export async function preEncode(options: PreEncodeOptions): Promise<number> {
  const { files, output, signal, cwd = process.cwd() } = options;
  const client = new VodClient(options);
  // A session of its own: one that is shared with viewers would end for them, too.
  const user = `pre-encode-${randomBytes(6).toString('hex')}`;
  const interrupted = (): boolean => signal.aborted;
  let failures = 0;
  for (const file of files) {
    if (interrupted()) break;
    const name = printable(path.basename(file));
    try {
      await encodeFile({ client, source: await sourceOf(file, cwd), name, user, output, signal });
    } catch (thrown) {
      if (interrupted()) break;
      failures += 1;
      output.write(`${name}: failed: ${printable(reasonOf(thrown))}\n`);
    }
  }
  if (interrupted()) {
    output.write('interrupted; what is encoded stays\n');
    return INTERRUPTED;
  }
  return failures === 0 ? 0 : 1;
}

/** A name may hold what a terminal takes for a command. */
function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

/** A path that is there is told whole, since the server runs in another folder. */
async function sourceOf(file: string, cwd: string): Promise<string> {
  if (/^https?:\/\//i.test(file)) return file;
  const absolute = path.resolve(cwd, file);
  const isThere = await stat(absolute).then(
    () => true,
    () => false,
  );
  return isThere ? absolute : file;
}

interface EncodeRun {
  readonly client: VodClient;
  readonly source: string;
  readonly name: string;
  readonly user: string;
  readonly output: DisplayStream;
  readonly signal: AbortSignal;
}

async function encodeFile({ client, source, name, user, output, signal }: EncodeRun): Promise<void> {
  const startedMs = performance.now();
  const { id, durationMs } = await client.start(source, user, signal);
  const display = openDisplay(output, name);
  const meter = new SpeedMeter(durationMs);
  let last: EncodeProgress | undefined;
  try {
    for await (const progress of client.progress(id, signal)) {
      last = progress;
      display.show(progress, meter.pace(progress));
    }
  } finally {
    display.stop();
    await client.stop(id).catch(() => undefined);
  }
  if (last?.state !== 'complete') {
    throw new AppError('UNAVAILABLE', last?.reason ?? 'the server ended it before it was complete');
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const { speed } = meter.pace(last);
  const facts = [`complete in ${seconds} s`, `${last.segments} segments`, megabytes(last.bytes)];
  output.write(`${name}: ${[...facts, ...(speed > 0 ? [`${speed.toFixed(1)}x`] : [])].join(', ')}\n`);
}

/** Tells how fast a film is encoded. */
class SpeedMeter {
  readonly #durationMs: number;
  #first: { readonly encoded: number; readonly atMs: number } | undefined;

  constructor(durationMs: number) {
    this.#durationMs = durationMs;
  }

  pace({ encoded, segments }: EncodeProgress): Pace {
    const nowMs = performance.now();
    this.#first ??= { encoded, atMs: nowMs };
    const elapsedMs = nowMs - this.#first.atMs;
    const done = encoded - this.#first.encoded;
    if (elapsedMs < LEAST_MEASURED_MS || done === 0) return { speed: 0, remainingS: 0 };
    return {
      speed: ((done / segments) * this.#durationMs) / elapsedMs,
      remainingS: ((segments - encoded) / done) * (elapsedMs / 1000),
    };
  }
}
