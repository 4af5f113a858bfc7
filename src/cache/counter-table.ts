import type { CacheCounters } from './cache-report.ts';

/** Keys whose counters are remembered; the longest untouched go first. */
const MAX_KEYS = 10_000;

type Mutable = { -readonly [Name in keyof CacheCounters]: number };

/** Counters in total and for each key, also of entries that have gone. */
export class CounterTable {
  readonly #total: Mutable = zero();
  readonly #byKey = new Map<string, Mutable>();

  /** All keys together. */
  get total(): CacheCounters {
    return { ...this.#total };
  }

  /** Those of one key. */
  of(key: string): CacheCounters {
    return { ...(this.#byKey.get(key) ?? zero()) };
  }

  /** Counts in total only. */
  countInTotal(name: keyof CacheCounters, by = 1): void {
    this.#total[name] += by;
  }

  /** Counts for one key only. */
  countForKey(key: string, name: keyof CacheCounters, by = 1): void {
    const counters = this.#byKey.get(key) ?? zero();
    counters[name] += by;
    this.#byKey.delete(key);
    this.#byKey.set(key, counters);
    for (const oldest of this.#byKey.keys()) {
      if (this.#byKey.size <= MAX_KEYS) break;
      this.#byKey.delete(oldest);
    }
  }

  /** Counts for a key and in total. */
  count(key: string, name: keyof CacheCounters, by = 1): void {
    this.countInTotal(name, by);
    this.countForKey(key, name, by);
  }
}

function zero(): Mutable {
  return { hits: 0, partialHits: 0, misses: 0, evictions: 0, invalidations: 0, bytesRead: 0, bytesWritten: 0 };
}
