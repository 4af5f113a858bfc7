import type { ChildProcess } from 'node:child_process';
import { PassThrough } from 'node:stream';
import ffmpeg, { type FfmpegCommand } from 'fluent-ffmpeg';
import { type Deferred, deferred } from '../util/deferred.ts';
import { AppError, reasonOf } from '../util/errors.ts';

const STDERR_LINES = 20;
const STDERR_LINE_CHARS = 300;
/** Room between us and the pipe to the child. */
const STDIN_BUFFER_BYTES = 256 * 1024;

/** One child's options: before its input and before its output (stdout). */
export interface FfmpegCommandLine {
  readonly input: readonly string[];
  readonly output: readonly string[];
}

/** How a child ended. */
export interface ChildExit {
  /** Why it is no clean end, with the last lines it wrote; `undefined` if it exited with 0. */
  readonly failure: string | undefined;
}

/** What to run and who takes its output. */
export interface ChildOptions {
  readonly binaryPath: string;
  readonly commandLine: FfmpegCommandLine;
  /**
   * What ffmpeg reads instead of stdin: a file, or a lavfi graph (with `-f lavfi` among the input options). Must be
   * trusted, since ffmpeg opens any protocol. Such a child takes no `write()`, and has to end by itself.
   */
  readonly source?: string;
  /** Takes each piece of stdout as it comes; must not throw. */
  readonly onOutput: (chunk: Buffer) => void;
  /** Takes each line of stderr; must not throw. */
  readonly onWarning: (line: string) => void;
}

/**
 * One ffmpeg process between stdin (or another source) and stdout, driven through fluent-ffmpeg. It ends when its stdin
 * ends, also when this process is gone.
 */
export class FfmpegChild {
  /** Resolves when the process is gone and all its output was handed on; never rejects. */
  readonly done: Promise<ChildExit>;
  readonly #command: FfmpegCommand;
  readonly #stdin = new PassThrough({ highWaterMark: STDIN_BUFFER_BYTES });
  readonly #started = deferred();
  readonly #stderr: string[] = [];
  #process: ChildProcess | undefined;
  #drained: Deferred<void> | undefined;
  #running = false;
  #killed = false;

  constructor({ binaryPath, commandLine, source, onOutput, onWarning }: ChildOptions) {
    // A stream that closes itself makes fluent-ffmpeg kill the child 20 ms later and report an error.
    const stdout = new PassThrough({ autoDestroy: false, emitClose: false });
    const outputEnded = new Promise<void>((resolve) => stdout.once('end', resolve));
    stdout.on('data', onOutput);
    this.#stdin.on('drain', () => this.#drained?.resolve());
    this.#command = ffmpeg({ source: source ?? this.#stdin, stdoutLines: STDERR_LINES })
      .setFfmpegPath(binaryPath)
      .inputOptions([...commandLine.input, ...(source === undefined ? [] : ['-nostdin'])])
      .outputOptions([...commandLine.output])
      .output(stdout);
    containSpawnErrors(this.#command);
    const exited = this.#exit(onWarning);
    this.done = exited.then(async (exit) => {
      if (this.#process !== undefined) await outputEnded;
      this.#stdin.destroy();
      this.#drained?.resolve();
      return exit;
    });
  }

  /** Process id once it runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /**
   * Starts the process.
   * @throws AppError `TRANSCODER_FAILED` if it cannot be run.
   */
  async start(): Promise<void> {
    if (this.#killed) throw new AppError('TRANSCODER_FAILED', 'ffmpeg was stopped before it was started');
    this.#running = true;
    this.#command.run();
    await this.#started.promise;
  }

  /** Writes to stdin; while it is full a promise is answered that resolves when there is room, or no process any more. */
  write(bytes: Buffer): void | Promise<void> {
    if (this.#stdin.destroyed || this.#stdin.writableEnded || this.#stdin.write(bytes)) return;
    this.#drained = deferred();
    return this.#drained.promise;
  }

  /** Ends stdin: the process puts out what is left and exits. */
  end(): void {
    this.#stdin.end();
  }

  /** Kills the process, also one that is only about to start; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#killed = true;
    this.#process?.kill('SIGKILL');
    this.#drained?.resolve();
    if (this.#running) await this.done;
    else this.#stdin.destroy();
  }

  #exit(onWarning: (line: string) => void): Promise<ChildExit> {
    return new Promise((resolve) => {
      this.#command
        .on('start', () => {
          const { ffmpegProc } = this.#command as FluentInternals;
          // A process that could not be spawned has no pid; `error` follows.
          if (ffmpegProc?.pid === undefined) return;
          this.#process = ffmpegProc;
          // fluent-ffmpeg ignores a kill that comes before the process is there.
          if (this.#killed) ffmpegProc.kill('SIGKILL');
          this.#started.resolve();
        })
        .on('stderr', (line: string) => {
          const text = line.slice(0, STDERR_LINE_CHARS);
          onWarning(text);
          this.#stderr.push(text);
          if (this.#stderr.length > STDERR_LINES) this.#stderr.shift();
        })
        .on('end', () => resolve({ failure: undefined }))
        .on('error', (thrown: unknown) => {
          const failure = [firstLine(reasonOf(thrown)), ...this.#stderr.slice(-3)].join(' | ');
          this.#started.reject(new AppError('TRANSCODER_FAILED', `ffmpeg did not start: ${failure}`));
          resolve({ failure });
        });
    });
  }
}

/** What fluent-ffmpeg does not declare. */
interface FluentInternals extends FfmpegCommand {
  ffmpegProc?: ChildProcess;
  _spawnFfmpeg: (...args: unknown[]) => void;
}

type SpawnEnd = (error: unknown, stdout?: { get(): string }, stderr?: { get(): string }) => void;

/**
 * When a process cannot be spawned (no such file, no more file descriptors), fluent-ffmpeg reads output that it never got,
 * which would end this process with a TypeError; given an empty output it emits `error` as it should.
 */
function containSpawnErrors(command: FfmpegCommand): void {
  const internals = command as FluentInternals;
  const spawn = internals._spawnFfmpeg.bind(internals);
  const nothing = { get: () => '' };
  internals._spawnFfmpeg = (...args) => {
    const end = args.pop() as SpawnEnd;
    const safeEnd: SpawnEnd = (error, stdout = nothing, stderr = nothing) => end(error, stdout, stderr);
    try {
      spawn(...args, safeEnd);
    } catch (thrown) {
      safeEnd(thrown);
    }
  };
}

/**
 * Lets fluent-ffmpeg ask the binary for its formats and encoders, which it does once in a process, before its first child:
 * done at start-up, no child has to wait for it.
 */
export async function primeFluentFfmpeg(binaryPath: string): Promise<void> {
  const command = ffmpeg().setFfmpegPath(binaryPath);
  await new Promise<void>((resolve) => command.getAvailableFormats(() => resolve()));
  await new Promise<void>((resolve) => command.getAvailableEncoders(() => resolve()));
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}
