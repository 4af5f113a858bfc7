/** What became of the use of entries, since the program began. */
export interface CacheCounters {
  /** Times that a complete entry was found. */
  readonly hits: number;
  /** Times that a part of an entry was found. */
  readonly partialHits: number;
  readonly misses: number;
  /** Times that it, or segments of it, had to go to make room. */
  readonly evictions: number;
  /** Times that it was found damaged or was otherwise no longer trusted. */
  readonly invalidations: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** One entry of the cache. Times are ms since the Unix epoch. */
export interface CacheEntryReport extends CacheCounters {
  readonly key: string;
  readonly format: 'media' | 'subtitles';
  readonly sourceLabel: string;
  readonly quality: string;
  /** -1: none. */
  readonly audioIndex: number;
  /** Segments that are there, of `segmentCount`. */
  readonly segments: number;
  readonly segmentCount: number;
  readonly isComplete: boolean;
  readonly bytes: number;
  /** Somebody is using it. */
  readonly isPinned: boolean;
  readonly lastUsedAtMs: number;
  readonly createdAtMs: number;
}

/** What is in the cache, and how well it serves. */
export interface CacheReport {
  readonly budget: {
    readonly maxBytes: number;
    readonly usedBytes: number;
    /** Live segments' part of `usedBytes`. */
    readonly liveBytes: number;
  };
  readonly totals: CacheCounters & {
    readonly entries: number;
    readonly completeEntries: number;
    readonly pinnedEntries: number;
    readonly bytes: number;
  };
  /** The last used ones, 1,000 at most; the last used first. */
  readonly entries: readonly CacheEntryReport[];
}
