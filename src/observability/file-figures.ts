/** Files that are played, as of now and since the start. */
export interface FileFigures {
  readonly activeSessions: number;
  readonly encodersRunning: number;
  readonly encodersWaiting: number;
  readonly encodersStarted: number;
  readonly encodersFailed: number;
  readonly segmentsEncoded: number;
  /** Requests for segments that the cache answered. */
  readonly segmentHits: number;
}

/** The disk that encoded files and live segments share, and how well the cache serves. */
export interface StorageFigures {
  readonly maxBytes: number;
  readonly usedBytes: number;
  readonly liveBytes: number;
  readonly entries: number;
  readonly hits: number;
  readonly partialHits: number;
  readonly misses: number;
  readonly evictions: number;
  readonly invalidations: number;
  /** Live segments that were not kept: the disk was too slow, or could not be written. */
  readonly liveDropped: number;
  readonly liveFailed: number;
}

/** One figure and how it is published. */
export interface PublishedFigure<Figures> {
  /** Without the program's prefix; that of a total without `_total`. */
  readonly name: string;
  readonly help: string;
  readonly kind: 'gauge' | 'total';
  readonly figure: (figures: Figures) => number;
}

/** How the figures of files are published. */
export const FILE_FIGURES: readonly PublishedFigure<FileFigures>[] = [
  {
    name: 'vod_sessions',
    help: 'Sessions of files that somebody uses',
    kind: 'gauge',
    figure: ({ activeSessions }) => activeSessions,
  },
  {
    name: 'vod_encoders_running',
    help: 'Encoders of files at work, paused ones included',
    kind: 'gauge',
    figure: ({ encodersRunning }) => encodersRunning,
  },
  {
    name: 'vod_encoders_waiting',
    help: 'Encoders of files that wait for their turn',
    kind: 'gauge',
    figure: ({ encodersWaiting }) => encodersWaiting,
  },
  {
    name: 'vod_encoders_started',
    help: 'Encoders of files that were started',
    kind: 'total',
    figure: ({ encodersStarted }) => encodersStarted,
  },
  {
    name: 'vod_encoders_failed',
    help: 'Encoders of files that failed',
    kind: 'total',
    figure: ({ encodersFailed }) => encodersFailed,
  },
  {
    name: 'vod_segments_encoded',
    help: 'Segments of files that were encoded',
    kind: 'total',
    figure: ({ segmentsEncoded }) => segmentsEncoded,
  },
  {
    name: 'vod_segment_hits',
    help: 'Requests for segments of files that were answered from the cache',
    kind: 'total',
    figure: ({ segmentHits }) => segmentHits,
  },
];

/** How the figures of the shared disk are published. */
export const STORAGE_FIGURES: readonly PublishedFigure<StorageFigures>[] = [
  {
    name: 'storage_max_bytes',
    help: 'Limit of encoded files and live segments together',
    kind: 'gauge',
    figure: ({ maxBytes }) => maxBytes,
  },
  {
    name: 'storage_used_bytes',
    help: 'What they take of it',
    kind: 'gauge',
    figure: ({ usedBytes }) => usedBytes,
  },
  { name: 'storage_live_bytes', help: 'Live segments’ part', kind: 'gauge', figure: ({ liveBytes }) => liveBytes },
  { name: 'cache_entries', help: 'Entries of the segment cache', kind: 'gauge', figure: ({ entries }) => entries },
  { name: 'cache_hits', help: 'Complete entries that were found', kind: 'total', figure: ({ hits }) => hits },
  {
    name: 'cache_partial_hits',
    help: 'Partial entries that were found',
    kind: 'total',
    figure: ({ partialHits }) => partialHits,
  },
  { name: 'cache_misses', help: 'Entries that were not found', kind: 'total', figure: ({ misses }) => misses },
  {
    name: 'cache_evictions',
    help: 'Times that an entry, or segments of it, made room',
    kind: 'total',
    figure: ({ evictions }) => evictions,
  },
  {
    name: 'cache_invalidations',
    help: 'Entries that were no longer trusted',
    kind: 'total',
    figure: ({ invalidations }) => invalidations,
  },
  {
    name: 'live_files_dropped',
    help: 'Live segments that the disk was too slow to take',
    kind: 'total',
    figure: ({ liveDropped }) => liveDropped,
  },
  {
    name: 'live_files_failed',
    help: 'Live segments that could not be written',
    kind: 'total',
    figure: ({ liveFailed }) => liveFailed,
  },
];
