import type { MediaFile } from '../../hls/media-file.ts';

/** How far a rendition is encoded. A snapshot. */
export interface RenditionProgress {
  readonly segmentCount: number;
  /** Segments that are in the cache. Zero until the rendition has been asked for something. */
  readonly encoded: number;
  /** What those and the init take there. */
  readonly bytes: number;
  /** True once everything is there, subtitles included, and the entry is sealed. */
  readonly isComplete: boolean;
  /** What is being encoded now. */
  readonly heads: readonly HeadReport[];
  /** Seconds of media per second of encoding, of all running heads together; `undefined` if none runs. */
  readonly speed: number | undefined;
  /** Why encoding does not work at present; for people. */
  readonly failed: string | undefined;
}

/** One encoder at work, or waiting for its turn. A snapshot. */
export interface HeadReport {
  /** The segment that it makes now, and the one before which it ends. */
  readonly next: number;
  readonly end: number;
  readonly state: 'waiting' | 'running' | 'paused' | 'ending';
}

/**
 * One viewer's use of a rendition. All handles of the same rendition share its encoders and its place in the cache, which
 * stays pinned as long as the handle is used. Whoever opens it releases it.
 */
export interface RenditionHandle {
  readonly segmentCount: number;
  /**
   * The init segment. If none is known yet an encoder is started, at the segment that this viewer is expected to ask for.
   * Errors as with `segment`.
   */
  init(signal: AbortSignal): Promise<MediaFile>;
  /**
   * A segment: at once if it is cached, which starts nothing; else once it is encoded. Aborting withdraws the wish at once;
   * an encoder that nobody else needs gives way.
   * @throws AppError `NOT_FOUND` if there is no such segment, `GONE` if the source ends before it or the wish was aborted,
   *   `UNAVAILABLE` if no encoder becomes free in time or the cache cannot take more, `BAD_MEDIA` or `TRANSCODER_FAILED` if
   *   it cannot be encoded
   */
  segment(index: number, signal: AbortSignal): Promise<MediaFile>;
  /**
   * Encodes all that is missing, after everything that somebody waits for. Resolves once the rendition is complete.
   * Errors as with `segment`; what is encoded by then stays.
   */
  fill(signal: AbortSignal): Promise<void>;
  progress(): RenditionProgress;
  /** Calls `listener` whenever `progress()` may have changed, possibly many times a second. Returns how to end that. */
  onProgress(listener: () => void): () => void;
  /** Idempotent. Encoders that nobody needs any more end; what is encoded stays. */
  release(): void;
}
