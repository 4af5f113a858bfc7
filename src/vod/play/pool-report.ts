import type { HeadReport } from './rendition-handle.ts';

/** What has happened since a pool was made. */
export interface PoolCounters {
  /** Processes. */
  headsStarted: number;
  headsFailed: number;
  /** Segments. */
  segmentsEncoded: number;
  /** Segments that were there when somebody asked for them. */
  hits: number;
}

/** What a rendition pool does and has done. A snapshot. */
export interface PoolReport extends Readonly<PoolCounters> {
  /** Encoders that run now, paused ones included, and how many may. */
  readonly running: number;
  readonly maxEncoders: number;
  /** Heads that wait for an encoder to become free. */
  readonly waiting: number;
  /** Segments that somebody waits for. */
  readonly wanted: number;
  readonly heads: readonly PooledHeadReport[];
}

/** One encoder at work, of any rendition. */
export interface PooledHeadReport extends HeadReport {
  /** `MediaSource.label`. */
  readonly source: string;
  readonly rendition: string;
}
