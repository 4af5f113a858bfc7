import type { Clock } from '../util/clock.ts';

/** A client that has not asked for a playlist for this long has left. */
const PRESENT_MS = 15_000;

/** Viewers beyond this many are not told apart. */
const MAX_VIEWERS = 50_000;

/** Counts who watches: distinct (address, user agent) that asked for a playlist within 15 s. */
export class Viewers {
  readonly #clock: Clock;
  readonly #max: number;
  /** Last request by broadcast and client, oldest first. */
  readonly #seenAtMs = new Map<string, number>();

  constructor(clock: Clock, max: number = MAX_VIEWERS) {
    this.#clock = clock;
    this.#max = max;
  }

  /** Notes that a client asked for a playlist. */
  see(broadcast: string, address: string, userAgent: string): void {
    const viewer = `${broadcast} ${address} ${userAgent.slice(0, 200)}`;
    this.#seenAtMs.delete(viewer);
    this.#seenAtMs.set(viewer, this.#clock.nowMs());
    this.#prune();
    const [oldest] = this.#seenAtMs.keys();
    if (this.#seenAtMs.size > this.#max && oldest !== undefined) this.#seenAtMs.delete(oldest);
  }

  /** Viewers of a broadcast right now. */
  count(broadcast: string): number {
    this.#prune();
    return [...this.#seenAtMs.keys()].filter((viewer) => viewer.startsWith(`${broadcast} `)).length;
  }

  #prune(): void {
    const leftBeforeMs = this.#clock.nowMs() - PRESENT_MS;
    for (const [viewer, atMs] of this.#seenAtMs) {
      if (atMs >= leftBeforeMs) return;
      this.#seenAtMs.delete(viewer);
    }
  }
}
