import type { PublishedFigure } from './file-figures.ts';

/** Remote sources and what is fetched for them, as of now and since the start. */
export interface SourceFigures {
  /** Registered sources by state. */
  readonly states: Readonly<Record<string, number>>;
  readonly failovers: number;
  /** Upstreams that are followed; equal sources share one. */
  readonly upstreams: number;
  readonly requests: number;
  readonly errors: number;
  readonly bytes: number;
  readonly prefetch: PrefetchFigures;
}

/** How well what is fetched ahead of players serves them. */
export interface PrefetchFigures {
  /** Segments that were there, or on their way, when a player asked. */
  readonly hits: number;
  readonly misses: number;
  readonly prefetched: number;
  /** Of segments that were fetched ahead and never asked for. */
  readonly wastedBytes: number;
  /** Playlists whose players are fetched ahead for at present. */
  readonly active: number;
  /** What is held in memory. */
  readonly bytes: number;
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
    help: 'Upstreams that are followed; equal sources share one',
    kind: 'gauge',
    figure: ({ upstreams }) => upstreams,
  },
  {
    name: 'source_upstream_requests',
    help: 'Requests to upstreams',
    kind: 'total',
    figure: ({ requests }) => requests,
  },
  {
    name: 'source_upstream_errors',
    help: 'Requests to upstreams that failed',
    kind: 'total',
    figure: ({ errors }) => errors,
  },
  { name: 'source_upstream_bytes', help: 'Bytes from upstreams', kind: 'total', figure: ({ bytes }) => bytes },
  {
    name: 'prefetch_hits',
    help: 'Segments that were there, or on their way, when a player asked',
    kind: 'total',
    figure: ({ prefetch }) => prefetch.hits,
  },
  {
    name: 'prefetch_misses',
    help: 'Segments that a player had to wait for from the start',
    kind: 'total',
    figure: ({ prefetch }) => prefetch.misses,
  },
  {
    name: 'prefetch_segments',
    help: 'Segments that were fetched ahead of players',
    kind: 'total',
    figure: ({ prefetch }) => prefetch.prefetched,
  },
  {
    name: 'prefetch_wasted_bytes',
    help: 'Bytes that were fetched ahead and never asked for',
    kind: 'total',
    figure: ({ prefetch }) => prefetch.wastedBytes,
  },
  {
    name: 'prefetch_active',
    help: 'Playlists whose players are fetched ahead for',
    kind: 'gauge',
    figure: ({ prefetch }) => prefetch.active,
  },
  {
    name: 'prefetch_memory_bytes',
    help: 'Fetched segments in memory',
    kind: 'gauge',
    figure: ({ prefetch }) => prefetch.bytes,
  },
];
