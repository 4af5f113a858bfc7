import type { FfmpegCommandLine } from '../ffmpeg/ffmpeg-child.ts';
import { runFfmpegOnce } from '../ffmpeg/one-shot.ts';
import type { Closable } from '../util/closer.ts';
import { type Deferred, deferred } from '../util/deferred.ts';
import { AppError, toError } from '../util/errors.ts';

/** One run of ffmpeg over a whole input. */
export interface StillRun {
  readonly commandLine: FfmpegCommandLine;
  readonly input: readonly Buffer[];
  readonly maxOutputBytes: number;
}

/** What a task works with while it is its turn. */
export interface StillTurn {
  /** Aborted when nobody waits for the picture any more, and when its time is up. */
  readonly signal: AbortSignal;
  /** Runs ffmpeg within the time that the task has left; see `runFfmpegOnce()`. */
  ffmpeg(run: StillRun): Promise<Buffer>;
}

/** Makes one picture; reads its input only when it is called, so that waiting tasks hold no media. */
export type StillTask = (turn: StillTurn) => Promise<Buffer>;

/** Limits of a `StillRenderer`. */
export interface StillLimits {
  /** Pictures that may wait behind the one that is being made. */
  readonly maxWaiting?: number;
  /** Time for one picture. */
  readonly timeoutMs?: number;
}

const DEFAULT_MAX_WAITING = 64;
const DEFAULT_TIMEOUT_MS = 15_000;

interface Job {
  readonly key: string;
  readonly task: StillTask;
  readonly result: Deferred<Buffer>;
  readonly controller: AbortController;
  callers: number;
}

/** Makes pictures one after another, so that all stills of the server together never take more than one ffmpeg's CPU. */
export class StillRenderer implements Closable {
  readonly #binaryPath: string;
  readonly #maxWaiting: number;
  readonly #timeoutMs: number;
  readonly #jobs = new Map<string, Job>();
  readonly #waiting: Job[] = [];
  #current: Job | undefined;
  #closing: Promise<void> | undefined;

  constructor({ binaryPath, ...limits }: StillLimits & { readonly binaryPath: string }) {
    this.#binaryPath = binaryPath;
    this.#maxWaiting = limits.maxWaiting ?? DEFAULT_MAX_WAITING;
    this.#timeoutMs = limits.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  }

  /**
   * Runs the task when its turn comes. Callers with the same key share one task and its result; once all of them have
   * aborted, it is dropped or ended.
   * @throws AppError `UNAVAILABLE` if too many pictures wait, the caller's signal aborts, or `close()` was called;
   *   `TRANSCODER_FAILED` if ffmpeg fails or the time is up; what the task throws.
   */
  async render(key: string, task: StillTask, signal?: AbortSignal): Promise<Buffer> {
    if (this.#closing !== undefined) throw new AppError('UNAVAILABLE', 'no pictures are made while shutting down');
    const givenUp = new AppError('UNAVAILABLE', 'the request for the picture was given up');
    if (signal?.aborted === true) throw givenUp;
    const job = this.#jobs.get(key) ?? this.#enqueue(key, task);
    const answer = deferred<Buffer>();
    const leave = (): void => {
      answer.reject(givenUp);
      job.callers -= 1;
      if (job.callers === 0) this.#abandon(job);
    };
    job.callers += 1;
    job.result.promise.then(answer.resolve, answer.reject);
    signal?.addEventListener('abort', leave, { once: true });
    try {
      return await answer.promise;
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }

  /** Ends what runs, refuses what waits and whatever is asked for later. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      for (const job of [...this.#waiting]) this.#abandon(job);
      const { result, controller } = this.#current ?? {};
      controller?.abort();
      await result?.promise.catch(() => undefined);
    })();
    return this.#closing;
  }

  #enqueue(key: string, task: StillTask): Job {
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new AppError('UNAVAILABLE', `${this.#maxWaiting} pictures wait to be made; try again later`);
    }
    const job: Job = { key, task, result: deferred<Buffer>(), controller: new AbortController(), callers: 0 };
    this.#jobs.set(key, job);
    this.#waiting.push(job);
    if (this.#current === undefined) void this.#work();
    return job;
  }

  /** A later caller with the same key gets a task of its own. */
  #abandon(job: Job): void {
    if (this.#jobs.get(job.key) === job) this.#jobs.delete(job.key);
    const at = this.#waiting.indexOf(job);
    if (at >= 0) this.#waiting.splice(at, 1);
    if (at >= 0) job.result.reject(new AppError('UNAVAILABLE', 'the picture was given up before it was its turn'));
    job.controller.abort();
  }

  async #work(): Promise<void> {
    for (;;) {
      this.#current = this.#waiting.shift();
      if (this.#current === undefined) return;
      await this.#run(this.#current);
    }
  }

  async #run(job: Job): Promise<void> {
    const { key, task, result, controller } = job;
    const { signal } = controller;
    const deadlineMs = performance.now() + this.#timeoutMs;
    const timer = setTimeout(() => controller.abort(), this.#timeoutMs);
    const ffmpeg = (run: StillRun): Promise<Buffer> => {
      const timeoutMs = Math.max(1, deadlineMs - performance.now());
      return runFfmpegOnce({ ...run, binaryPath: this.#binaryPath, timeoutMs, signal });
    };
    try {
      result.resolve(await task({ signal, ffmpeg }));
    } catch (thrown) {
      const late = performance.now() >= deadlineMs;
      const tooLate = new AppError('TRANSCODER_FAILED', `the picture was not done within ${this.#timeoutMs} ms`);
      result.reject(late ? tooLate : toError(thrown));
    } finally {
      clearTimeout(timer);
      if (this.#jobs.get(key) === job) this.#jobs.delete(key);
    }
  }
}
