/** When one connection takes this share of real time, a second one may help. */
const SLOW_RATIO = 0.8;
/** A second connection that makes each of the two this much slower does not help. */
const NO_GAIN_FACTOR = 1.7;
const SMOOTHING = 0.4;

/** What goes on at a source: prefetching waits while somebody waits for something, and goes on one at a time. */
export class SourceTraffic {
  readonly #listeners = new Set<() => void>();
  #asked = 0;
  #prefetching = 0;
  /** Time to fetch / time that it plays, when alone and when two are fetched at a time. */
  #alone: number | undefined;
  #paired: number | undefined;

  /** True if something may be fetched ahead now. */
  get hasPrefetchRoom(): boolean {
    return this.#asked === 0 && this.#prefetching < this.concurrency;
  }

  /** How many may be prefetched at a time: 2 if one is too slow for real time and a second helps, else 1. */
  get concurrency(): 1 | 2 {
    if (this.#alone === undefined || this.#alone <= SLOW_RATIO) return 1;
    return this.#paired === undefined || this.#paired < NO_GAIN_FACTOR * this.#alone ? 2 : 1;
  }

  /** Counts something that somebody waits for until the returned function is called. */
  beginAsked(): () => void {
    this.#asked += 1;
    return this.#ending(() => (this.#asked -= 1));
  }

  /** Counts something that is fetched ahead until the returned function is called. */
  beginPrefetch(): () => void {
    this.#prefetching += 1;
    return this.#ending(() => (this.#prefetching -= 1));
  }

  /** Takes how long it took to fetch something ahead, and how many were fetched then. */
  measured({ tookMs, durationMs, concurrent }: { tookMs: number; durationMs: number; concurrent: number }): void {
    if (durationMs <= 0) return;
    const ratio = tookMs / durationMs;
    const smoothed = (before = ratio): number => before + SMOOTHING * (ratio - before);
    if (concurrent > 1) this.#paired = smoothed(this.#paired);
    else this.#alone = smoothed(this.#alone);
  }

  /** How many are fetched ahead at present. */
  get prefetching(): number {
    return this.#prefetching;
  }

  /** Calls `listener` whenever something ends; the returned function stops that. */
  onEnd(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #ending(end: () => void): () => void {
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      end();
      for (const listener of [...this.#listeners]) listener();
    };
  }
}
