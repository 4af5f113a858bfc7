/** Settings of the HLS side; every rendition of every broadcast shares them. */
export interface HlsOptions {
  /** Length that segments aim at. */
  readonly segmentTargetMs: number;
  /** Longest part inside a segment. */
  readonly partTargetMs: number;
  /** `low`: parts are published as they are complete; `normal`: whole segments only. */
  readonly latency: 'low' | 'normal';
  /** Segments that a live playlist lists; at least 6. As many more stay fetchable after they left the list. */
  readonly windowSegments: number;
  /** How long an ended broadcast's playlists stay. */
  readonly retainEndedMs: number;
  /** How long the outputs of an ended broadcast may take to hand out what they still hold. */
  readonly drainTimeoutMs: number;
  /** Segments in memory per track; the oldest go first. */
  readonly maxTrackBytes: number;
  /** One segment; a larger one is listed as a gap. */
  readonly maxSegmentBytes: number;
  /** Fragments of a track that wait for the timeline's decision. */
  readonly maxPendingBytes: number;
  readonly maxPendingMs: number;
  /** A rung that is further than this many segments behind the timeline, and for as long, gets gaps instead. */
  readonly maxLagSegments: number;
  /** Rendition whose audio all rungs without an own one use. */
  readonly sharedAudioRendition: string;
}

/** Defaults of `HlsOptions`. */
const HLS_DEFAULTS: HlsOptions = Object.freeze({
  segmentTargetMs: 2_000,
  partTargetMs: 500,
  latency: 'low',
  windowSegments: 8,
  retainEndedMs: 60_000,
  drainTimeoutMs: 10_000,
  maxTrackBytes: 256 * 1024 * 1024,
  maxSegmentBytes: 64 * 1024 * 1024,
  maxPendingBytes: 64 * 1024 * 1024,
  maxPendingMs: 20_000,
  maxLagSegments: 3,
  sharedAudioRendition: 'audio',
});

/** A playlist needs this many segments to be of use (Apple's HLS authoring specification, 8.11). */
const MIN_WINDOW_SEGMENTS = 6;

/** Defaults with the given settings over them, within the limits that the playlists need. */
export function hlsOptions(options: Partial<HlsOptions> = {}): HlsOptions {
  const merged = { ...HLS_DEFAULTS, ...options };
  return Object.freeze({ ...merged, windowSegments: Math.max(MIN_WINDOW_SEGMENTS, merged.windowSegments) });
}

/** `EXT-X-TARGETDURATION` in whole seconds: leaves room for an irregular GOP, since it may never change. */
export function targetDurationSeconds(segmentTargetMs: number): number {
  return Math.ceil((segmentTargetMs * 1.5) / 1000);
}
