import type { Clock } from '../../util/clock.ts';
import { AppError, toError } from '../../util/errors.ts';

/** How long a request for a segment is held at most, ms: less than connections may make no progress. */
export const VOD_HOLD_MS = 25_000;

/** Requests that wait for something, each until a deadline, and all of them to be ended together. */
export class Holds {
  readonly #clock: Clock;
  readonly #maxMs: number;
  readonly #held = new Set<AbortController>();

  constructor({ clock, maxMs = VOD_HOLD_MS }: { clock: Clock; maxMs?: number }) {
    this.#clock = clock;
    this.#maxMs = maxMs;
  }

  /** How many wait. */
  get size(): number {
    return this.#held.size;
  }

  /**
   * Runs `task` until it ends, `signal` aborts or the time is up; then its own signal aborts, and its outcome counts no more.
   * @throws AppError `UNAVAILABLE` when the time is up; `GONE` when `signal` aborts; what was given to `endAll`
   */
  async run<T>(task: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const controller = new AbortController();
    const leave = (): void => controller.abort(new AppError('GONE', 'the client has gone'));
    const aborted = new Promise<never>((_, reject) => {
      controller.signal.addEventListener('abort', () => reject(toError(controller.signal.reason)), { once: true });
    });
    // Ends the wait too once the task is through.
    const timer = new AbortController();
    void this.#clock.wait(this.#maxMs, timer.signal).then(() => {
      const message = `it was not ready within ${this.#maxMs / 1000} s, since the server is busy; ask again`;
      if (!timer.signal.aborted) controller.abort(new AppError('UNAVAILABLE', message));
    });
    this.#held.add(controller);
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([aborted, task(controller.signal)]);
    } finally {
      this.#held.delete(controller);
      signal.removeEventListener('abort', leave);
      timer.abort();
    }
  }

  /** Ends all that wait with this error. */
  endAll(error: AppError): void {
    for (const controller of this.#held) controller.abort(error);
  }
}
