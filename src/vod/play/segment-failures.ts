import type { Clock } from '../../util/clock.ts';
import type { AppError } from '../../util/errors.ts';

interface Failure {
  count: number;
  error: AppError;
  atMs: number;
}

const MAX_REMEMBERED = 1_000;

/** Remembers which segments could not be encoded: each gets a second try, then none for a while. */
export class SegmentFailures {
  readonly #clock: Clock;
  readonly #holdMs: number;
  readonly #failures = new Map<number, Failure>();

  /** @param holdMs how long a segment that failed twice is not tried again */
  constructor(clock: Clock, holdMs: number) {
    this.#clock = clock;
    this.#holdMs = holdMs;
  }

  /** Notes that a segment could not be encoded; true if it is not to be tried again for now. */
  note(index: number, error: AppError): boolean {
    const before = this.#find(index);
    this.#failures.delete(index);
    const count = (before?.count ?? 0) + 1;
    this.#failures.set(index, { count, error, atMs: this.#clock.nowMs() });
    const [oldest] = this.#failures.keys();
    if (oldest !== undefined && this.#failures.size > MAX_REMEMBERED) this.#failures.delete(oldest);
    return count >= 2;
  }

  /** Why a segment is not to be tried; `undefined` if it may be. */
  blocked(index: number): AppError | undefined {
    const failure = this.#find(index);
    return failure !== undefined && failure.count >= 2 ? failure.error : undefined;
  }

  /** Forgets a segment's failures, since it could be encoded. */
  clear(index: number): void {
    this.#failures.delete(index);
  }

  #find(index: number): Failure | undefined {
    const failure = this.#failures.get(index);
    if (failure === undefined || this.#clock.nowMs() - failure.atMs < this.#holdMs) return failure;
    this.#failures.delete(index);
    return undefined;
  }
}
