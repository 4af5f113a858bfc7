import { type Deferred, deferred } from '../../util/deferred.ts';
import { AppError } from '../../util/errors.ts';

/** Lets a limited number of tasks run at a time; a limited number waits, first come, first served. */
export class Turns {
  readonly #atOnce: number;
  readonly #maxWaiting: number;
  readonly #waiting = new Set<Deferred<void>>();
  #running = 0;

  constructor({ atOnce, maxWaiting }: { atOnce: number; maxWaiting: number }) {
    this.#atOnce = atOnce;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * Runs a task when its turn has come; the answer is the task's.
   * @throws AppError `UNAVAILABLE` if too many wait, `GONE` if it is aborted while it waits
   */
  async run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#turn(signal);
    try {
      return await task();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#running -= 1;
      else {
        this.#waiting.delete(next);
        next.resolve();
      }
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw aborted();
    if (this.#running < this.#atOnce) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.size >= this.#maxWaiting) {
      throw new AppError('UNAVAILABLE', `${this.#maxWaiting} subtitle requests are waiting already; try again later`);
    }
    const turn = deferred();
    this.#waiting.add(turn);
    const onAbort = (): void => {
      if (this.#waiting.delete(turn)) turn.reject(aborted());
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await turn.promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}

function aborted(): AppError {
  return new AppError('GONE', 'nobody waits for these subtitles any more');
}
