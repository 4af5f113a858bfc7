import type { ChildProcess } from 'node:child_process';
import os from 'node:os';
import { PassThrough, type Readable } from 'node:stream';
import ffmpeg, { type FfmpegCommand } from 'fluent-ffmpeg';
import { type Deferred, deferred } from '../util/deferred.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import { cleanLine, type FfmpegSource } from './ffmpeg-source.ts';
import { childEnvironment, deathBoundLaunch, type Launch } from './launcher.ts';

const STDERR_LINES = 20;
/** Room between us and the pipe to the child. */
const STDIN_BUFFER_BYTES = 256 * 1024;
/** After stdin, stdout and stderr. */
const FIRST_FURTHER_FD = 3;
const STDIN = { url: undefined, options: [] };

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

/** One more output of a child: its options, and who takes each piece of it as it comes; that must not throw. */
export interface FurtherOutput {
  readonly options: readonly string[];
  readonly onOutput: (chunk: Buffer) => void;
}

/** What to run and who takes its output. */
export interface ChildOptions {
  readonly binaryPath: string;
  readonly commandLine: FfmpegCommandLine;
  /**
   * What ffmpeg reads instead of stdin: a source with the options that confine it (they come before the input options),
   * or a lavfi graph of our own (a plain text, with `-f lavfi` among the input options). Such a child takes no `write()`.
   */
  readonly source?: FfmpegSource | string;
  /** Takes each piece of stdout as it comes; must not throw. */
  readonly onOutput: (chunk: Buffer) => void;
  /** Outputs besides stdout, on pipes of their own. ffmpeg waits while any of its outputs is not taken. */
  readonly furtherOutputs?: readonly FurtherOutput[];
  /** Takes each line of stderr, without the source's place; must not throw. */
  readonly onWarning: (line: string) => void;
}

/**
 * One ffmpeg process between stdin (or another source) and stdout, driven through fluent-ffmpeg. It ends when its stdin
 * ends, also when this process is gone; one that reads another source is killed with this process where the system can
 * do that (see `deathBoundLaunch()`), and else ends when it writes its next output. Such a source waits for nobody, so its
 * child runs at a lower priority: live streams, and the server itself, come first.
 */
export class FfmpegChild {
  /**
   * Resolves when the process is gone and all its output was handed on or discarded, so not while output is paused;
   * never rejects.
   */
  readonly done: Promise<ChildExit>;
  readonly #command: FfmpegCommand;
  readonly #binaryPath: string;
  readonly #source: string | undefined;
  readonly #yields: boolean;
  /** stdout and what is on the pipes after stderr, in this order. */
  readonly #outputs: readonly TakenOutput[];
  readonly #stdin = new PassThrough({ highWaterMark: STDIN_BUFFER_BYTES });
  readonly #started = deferred();
  readonly #stderr: string[] = [];
  #process: ChildProcess | undefined;
  #drained: Deferred<void> | undefined;
  #running = false;
  #killed = false;
  #discards = false;

  constructor({ binaryPath, commandLine, source, onOutput, furtherOutputs = [], onWarning }: ChildOptions) {
    const { url, options } = typeof source === 'string' ? { url: source, options: [] } : (source ?? STDIN);
    this.#binaryPath = binaryPath;
    this.#source = url;
    this.#yields = typeof source === 'object';
    const stdout = takeOutput(onOutput);
    this.#outputs = [stdout, ...furtherOutputs.map((further) => takeOutput(further.onOutput))];
    this.#stdin.on('drain', () => this.#drained?.resolve());
    this.#command = ffmpeg({ source: url ?? this.#stdin, stdoutLines: STDERR_LINES }).output(stdout.stream);
    addOptions(this.#command, [...options, ...commandLine.input, ...(url === undefined ? [] : ['-nostdin'])], 'input');
    addOptions(this.#command, commandLine.output, 'output');
    furtherOutputs.forEach(({ options: own }, index) => {
      this.#command.output(`pipe:${FIRST_FURTHER_FD + index}`);
      addOptions(this.#command, own, 'output');
    });
    const exited = this.#exit(onWarning);
    this.done = exited.then(async (exit) => {
      if (this.#process !== undefined) await Promise.all(this.#outputs.map(({ ended }) => ended));
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
    const launch =
      this.#source === undefined ? { path: this.#binaryPath, args: [] } : await deathBoundLaunch(this.#binaryPath);
    if (this.#killed) throw new AppError('TRANSCODER_FAILED', 'ffmpeg was stopped before it was started');
    this.#running = true;
    launchWith(this.#command, launch, this.#outputs.length - 1);
    this.#command.run();
    await this.#started.promise;
  }

  /**
   * Stops taking output: once the pipe is full (64 KiB, and as much again here) ffmpeg waits and uses no processor.
   * `onOutput` is not called until `resumeOutput()`.
   */
  pauseOutput(): void {
    if (this.#discards) return;
    for (const { stream } of this.#outputs) stream.pause();
  }

  /** Takes output again. */
  resumeOutput(): void {
    for (const { stream } of this.#outputs) stream.resume();
  }

  /**
   * Asks the process to end, and kills it if it has not after `graceMs`. What it still writes is discarded. Resolves when
   * it is gone.
   */
  async stop(graceMs: number): Promise<void> {
    if (this.#process === undefined) return this.kill();
    this.#discardOutput();
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => void this.kill(), graceMs);
    await this.done;
    clearTimeout(timer);
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

  /** Kills the process, also one that is only about to start; resolves when it is gone. Its output is discarded. */
  async kill(): Promise<void> {
    this.#killed = true;
    this.#process?.kill('SIGKILL');
    this.#discardOutput();
    this.#drained?.resolve();
    if (this.#running) await this.done;
    else this.#stdin.destroy();
  }

  #discardOutput(): void {
    this.#discards = true;
    for (const { stream, onOutput } of this.#outputs) stream.off('data', onOutput).resume();
  }

  #exit(onWarning: (line: string) => void): Promise<ChildExit> {
    return new Promise((resolve) => {
      this.#command
        .on('start', () => {
          const { ffmpegProc } = this.#command as FluentInternals;
          // A process that could not be spawned has no pid; `error` follows.
          if (ffmpegProc?.pid === undefined) return;
          this.#process = ffmpegProc;
          this.#outputs.slice(1).forEach(({ stream }, index) => connect(ffmpegProc, FIRST_FURTHER_FD + index, stream));
          if (this.#yields) lowerPriority(ffmpegProc.pid);
          // fluent-ffmpeg ignores a kill that comes before the process is there.
          if (this.#killed) ffmpegProc.kill('SIGKILL');
          this.#started.resolve();
        })
        .on('stderr', (line: string) => {
          const text = cleanLine(line, this.#source);
          onWarning(text);
          this.#stderr.push(text);
          if (this.#stderr.length > STDERR_LINES) this.#stderr.shift();
        })
        .on('end', () => resolve({ failure: undefined }))
        .on('error', (thrown: unknown) => {
          const message = cleanLine(firstLine(reasonOf(thrown)), this.#source);
          const failure = [message, ...this.#stderr.slice(-3)].join(' | ');
          this.#started.reject(new AppError('TRANSCODER_FAILED', `ffmpeg did not start: ${failure}`));
          resolve({ failure });
        });
    });
  }
}

/** One output on its way from a pipe to whoever takes it. */
interface TakenOutput {
  readonly stream: PassThrough;
  readonly onOutput: (chunk: Buffer) => void;
  /** Resolves when all of it was handed on or discarded. */
  readonly ended: Promise<void>;
}

function takeOutput(onOutput: (chunk: Buffer) => void): TakenOutput {
  // A stream that closes itself makes fluent-ffmpeg kill the child 20 ms later and report an error.
  const stream = new PassThrough({ autoDestroy: false, emitClose: false });
  const ended = new Promise<void>((resolve) => stream.once('end', resolve));
  stream.on('data', onOutput);
  return { stream, onOutput, ended };
}

function connect({ stdio }: ChildProcess, fd: number, stream: PassThrough): void {
  const pipe = stdio[fd] as Readable;
  // A pipe that breaks has ended.
  pipe.on('error', () => undefined).once('close', () => stream.end());
  pipe.pipe(stream, { end: false });
}

/** Its threads start after this, and inherit it. A system that does not allow it costs the others some of their time only. */
function lowerPriority(pid: number): void {
  try {
    os.setPriority(pid, os.constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It may have ended already.
  }
}

/** What fluent-ffmpeg does not declare. */
interface FluentInternals extends FfmpegCommand {
  ffmpegProc?: ChildProcess;
  _getFfmpegPath: (use: (error: unknown, path: string) => void) => void;
  _spawnFfmpeg: (args: string[], options: object, ...callbacks: unknown[]) => void;
}

type SpawnEnd = (error: unknown, stdout?: { get(): string }, stderr?: { get(): string }) => void;

/** Adds options as they are: a list given whole would be cut at spaces by fluent-ffmpeg. */
function addOptions(command: FfmpegCommand, options: readonly string[], side: 'input' | 'output'): void {
  if (options.length === 0) return;
  if (side === 'input') command.inputOptions(...options);
  else command.outputOptions(...options);
}

/**
 * Lets fluent-ffmpeg start its processes in the given way, without our secrets. When one cannot be spawned (no such file,
 * no more file descriptors), fluent-ffmpeg reads output that it never got, which would end this process with a TypeError;
 * given an empty output it emits `error` as it should.
 */
function launchWith(command: FfmpegCommand, { path, args: launchArgs }: Launch, furtherPipes: number): void {
  const internals = command as FluentInternals;
  const spawn = internals._spawnFfmpeg.bind(internals);
  const nothing = { get: () => '' };
  const stdio = Array.from({ length: FIRST_FURTHER_FD + furtherPipes }, () => 'pipe');
  internals._getFfmpegPath = (use) => use(null, path);
  internals._spawnFfmpeg = (args, options, ...rest) => {
    const end = rest.pop() as SpawnEnd;
    const safeEnd: SpawnEnd = (error, stdout = nothing, stderr = nothing) => end(error, stdout, stderr);
    try {
      spawn([...launchArgs, ...args], { ...options, stdio, env: childEnvironment() }, ...rest, safeEnd);
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
