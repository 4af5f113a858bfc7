const WINDOW_MS = 10_000;
/** Less than this ahead at the worst moment: the source's clock may be slower than ours. */
const LOW_MS = 300;
/** More than this above what was ahead at first: the source's clock is faster, or what it was late with has come. */
const SURPLUS_MS = 2_000;
const SLOW_SPEED = 0.99;
const FASTEST_SPEED = 1.05;
/** Time over which a surplus is worked off, ms. */
const CATCH_UP_MS = 20_000;

/**
 * Finds the pace at which a source's media leaves, from how much of it is ahead: what is ahead at the worst moment of a
 * while says whether the source's clock and ours run alike, however unevenly media comes.
 */
export class DriftControl {
  #sinceMs: number;
  #leastMs = Infinity;
  #usualMs: number | undefined;
  #speed = 1;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** Media ms that should leave in one ms of ours. */
  get speed(): number {
    return this.#speed;
  }

  /** Notes how much media is ahead of what leaves at present. True if that changed the speed. */
  measure(nowMs: number, aheadMs: number): boolean {
    this.#leastMs = Math.min(this.#leastMs, aheadMs);
    if (nowMs - this.#sinceMs < WINDOW_MS) return false;
    const leastMs = this.#leastMs;
    this.#sinceMs = nowMs;
    this.#leastMs = aheadMs;
    this.#usualMs ??= leastMs;
    const before = this.#speed;
    this.#speed = speedFor(leastMs, this.#usualMs);
    return this.#speed !== before;
  }

  /** The source was interrupted: what is usual shows itself anew. */
  reset(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#leastMs = Infinity;
    this.#usualMs = undefined;
    this.#speed = 1;
  }
}

function speedFor(leastMs: number, usualMs: number): number {
  const surplusMs = leastMs - usualMs;
  if (surplusMs > SURPLUS_MS) return Math.min(FASTEST_SPEED, 1 + surplusMs / CATCH_UP_MS);
  return leastMs < LOW_MS ? SLOW_SPEED : 1;
}
