/**
 * How an upstream is: `idle` = nobody wants it; `starting` = nothing has come yet; `failing` = what is wanted does not come
 * at present.
 */
export type UpstreamState = 'idle' | 'starting' | 'live' | 'ended' | 'failing';

/** Figures since an upstream was opened. */
export interface UpstreamCounters {
  /** Playlists that were loaded, those that had not changed included. */
  readonly playlistLoads: number;
  readonly unchanged: number;
  /** Playlists that could not be loaded, or are none. */
  readonly errors: number;
  /** Playlists from servers that were behind. */
  readonly stale: number;
  /** Breaks of the timeline that upstream did not tell. */
  readonly breaks: number;
  /** How often another address was taken. */
  readonly failovers: number;
  /** Segments that were asked for and there, or on their way already. */
  readonly hits: number;
  /** Segments that were fetched because they were asked for. */
  readonly misses: number;
  readonly prefetched: number;
  /** Fetched ahead and never asked for. */
  readonly wastedBytes: number;
}

/** An upstream at a time. Holds no secret. */
export interface UpstreamStatus {
  readonly state: UpstreamState;
  /** The address at present, without credentials and query. */
  readonly address: string;
  readonly urlIndex: number;
  readonly failovers: number;
  /** Why something failed last; `undefined` once all is well again. */
  readonly lastError: string | undefined;
  readonly counters: UpstreamCounters;
}

/** Figures of all upstreams; the counters also of those that are closed. */
export interface UpstreamStats extends UpstreamCounters {
  /** Opened, or kept for a while after their last use. */
  readonly upstreams: number;
  /** Playlists that are being kept up to date. */
  readonly playlists: number;
  /** Prefetchers that somebody has asked for something lately. */
  readonly activePrefetchers: number;
}

/** Nothing counted. */
export const NO_COUNTERS: UpstreamCounters = Object.freeze({
  ...{ playlistLoads: 0, unchanged: 0, errors: 0, stale: 0, breaks: 0, failovers: 0 },
  ...{ hits: 0, misses: 0, prefetched: 0, wastedBytes: 0 },
});

/** The sum of two. */
export function addCounters(one: UpstreamCounters, other: UpstreamCounters): UpstreamCounters {
  const names = Object.keys(NO_COUNTERS) as (keyof UpstreamCounters)[];
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as unknown as UpstreamCounters;
}
