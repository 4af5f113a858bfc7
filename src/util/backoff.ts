/** Limits of a capped exponential backoff, all in ms. */
export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /** A run that lasted at least this long starts the sequence anew. */
  readonly resetAfterMs: number;
}

/** Delays of one retry sequence: doubling, capped, with up to 25 % of jitter taken off. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #failures = 0;

  constructor(options: BackoffOptions, random: () => number = Math.random) {
    this.#options = options;
    this.#random = random;
  }

  /** Delay in ms before the next try, given how long the failed run had lasted. */
  nextDelayMs(ranForMs: number): number {
    const { firstMs, maxMs, resetAfterMs } = this.#options;
    if (ranForMs >= resetAfterMs) this.#failures = 0;
    const delayMs = Math.min(maxMs, firstMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return Math.round(delayMs * (1 - 0.25 * this.#random()));
  }
}
