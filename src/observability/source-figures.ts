import type { PublishedFigure } from './file-figures.ts';

/** Remote sources and what is fetched for them, as of now and since the start. */
export interface SourceFigures {
  /** Registered sources by state. */
  readonly states: Readonly<Record<string, number>>;
  readonly failovers: number;
  readonly upstream: UpstreamFigures;
  readonly pool: PoolFigures;
}

interface UpstreamFigures {
  /** Upstreams in use; equal sources share one. */
  readonly upstreams: number;
  /** Playlists that are kept up to date. */
  readonly playlists: number;
  readonly playlistLoads: number;
  /** Playlists that could not be loaded. */
  readonly errors: number;
  /** Playlists whose players are fetched ahead for. */
  readonly activePrefetchers: number;
}

interface PoolFigures {
  /** Segments that were there, or on their way, when they were asked for. */
  readonly hits: number;
  readonly misses: number;
  readonly prefetched: number;
  /** Fetched ahead and never asked for. */
  readonly wastedBytes: number;
  readonly fetchedBytes: number;
  readonly retries: number;
  readonly failures: number;
  /** In memory. */
  readonly bytes: number;
  readonly diskBytes: number;
}

/** How the figures of sources are published, next to `laddercast_source_state`. */
export const SOURCE_FIGURES: readonly PublishedFigure<SourceFigures>[] = [
  {
    name: 'source_failovers',
    help: 'Times that another address of a source took over',
    kind: 'total',
    figure: ({ failovers }) => failovers,
  },
  {
    name: 'source_upstreams',
    help: 'Upstreams in use; equal sources share one',
    kind: 'gauge',
    figure: ({ upstream }) => upstream.upstreams,
  },
  {
    name: 'source_playlists',
    help: 'Playlists of upstreams that are kept up to date',
    kind: 'gauge',
    figure: ({ upstream }) => upstream.playlists,
  },
  {
    name: 'source_playlist_loads',
    help: 'Playlists that were loaded from upstreams',
    kind: 'total',
    figure: ({ upstream }) => upstream.playlistLoads,
  },
  {
    name: 'source_playlist_errors',
    help: 'Playlists that could not be loaded from upstreams',
    kind: 'total',
    figure: ({ upstream }) => upstream.errors,
  },
  {
    name: 'source_fetched_bytes',
    help: 'Bytes of segments from upstreams',
    kind: 'total',
    figure: ({ pool }) => pool.fetchedBytes,
  },
  {
    name: 'source_fetch_retries',
    help: 'Fetches of segments that were tried again',
    kind: 'total',
    figure: ({ pool }) => pool.retries,
  },
  {
    name: 'source_fetch_failures',
    help: 'Segments that could not be fetched',
    kind: 'total',
    figure: ({ pool }) => pool.failures,
  },
  {
    name: 'prefetch_hits',
    help: 'Segments that were there, or on their way, when they were asked for',
    kind: 'total',
    figure: ({ pool }) => pool.hits,
  },
  {
    name: 'prefetch_misses',
    help: 'Segments that were fetched because they were asked for',
    kind: 'total',
    figure: ({ pool }) => pool.misses,
  },
  {
    name: 'prefetch_segments',
    help: 'Segments that were fetched ahead of players',
    kind: 'total',
    figure: ({ pool }) => pool.prefetched,
  },
  {
    name: 'prefetch_wasted_bytes',
    help: 'Bytes that were fetched ahead and never asked for',
    kind: 'total',
    figure: ({ pool }) => pool.wastedBytes,
  },
  {
    name: 'prefetch_active',
    help: 'Playlists whose players are fetched ahead for',
    kind: 'gauge',
    figure: ({ upstream }) => upstream.activePrefetchers,
  },
  {
    name: 'prefetch_memory_bytes',
    help: 'Fetched segments in memory',
    kind: 'gauge',
    figure: ({ pool }) => pool.bytes,
  },
  {
    name: 'prefetch_disk_bytes',
    help: 'Fetched segments on disk',
    kind: 'gauge',
    figure: ({ pool }) => pool.diskBytes,
  },
];
