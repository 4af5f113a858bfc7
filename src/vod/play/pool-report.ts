import type { HeadReport } from './rendition-handle.ts';

/** What a rendition pool does and has done. A snapshot. */
export interface PoolReport {
  /** Encoders that run now, paused ones included, and how many may. */
  readonly running: number;
  readonly maxEncoders: number;
  /** Heads that wait for an encoder to become free. */
  readonly waiting: number;
  /** Segments that somebody waits for. */
  readonly wanted: number;
  /** Since the pool was made: processes started, those that failed, segments made, and requests that the cache answered. */
  readonly headsStarted: number;
  readonly headsFailed: number;
  readonly segmentsEncoded: number;
  readonly hits: number;
  readonly heads: readonly PooledHeadReport[];
}

/** One encoder at work, of any rendition. */
export interface PooledHeadReport extends HeadReport {
  /** `MediaSource.label`. */
  readonly source: string;
  readonly rendition: string;
}
