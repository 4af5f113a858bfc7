import type { Clock } from '../../util/clock.ts';
import type { AppError } from '../../util/errors.ts';

/** A failure for whose sake something is not tried again for a while. */
export class Hold {
  readonly #clock: Clock;
  readonly #holdMs: number;
  #error: AppError | undefined;
  #untilMs = 0;

  constructor(clock: Clock, holdMs: number) {
    this.#clock = clock;
    this.#holdMs = holdMs;
  }

  /** Why it is not to be tried; `undefined` if it may be. */
  get error(): AppError | undefined {
    return this.#clock.nowMs() < this.#untilMs ? this.#error : undefined;
  }

  /** Begins the time anew. */
  begin(error: AppError): void {
    this.#error = error;
    this.#untilMs = this.#clock.nowMs() + this.#holdMs;
  }
}
