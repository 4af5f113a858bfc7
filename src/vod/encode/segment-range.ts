/** A whole segment as it is served. */
export interface HeadSegment {
  readonly index: number;
  /** One `moof` + `mdat`. */
  readonly bytes: Buffer;
  /** Ticks of 90 kHz. */
  readonly durationTicks: number;
}

/** Which segments a head makes: from `first` on, before `end`. */
export interface SegmentRange {
  readonly first: number;
  readonly end: number;
}

/** Turns fragments of an encoder into segments. */
export interface Segmenter {
  /** The segment that comes next; the range's end once all are made. */
  readonly next: number;
  /** Takes the next fragment. @throws AppError `BAD_MEDIA` for one that cannot be used. */
  push(fragment: Buffer): void;
  /** Nothing more comes, and what came is whole. */
  finish(): void;
}

/** Frames this little before a boundary belong after it: times were rounded on their way. 2 ms, in ticks of 90 kHz. */
export const BOUNDARY_TOLERANCE_TICKS = 180;

/** Most bytes of a segment. */
export const MAX_SEGMENT_BYTES = 64 * 1024 * 1024;

/** Most segments of one head: the places of its keyframes are one argument, and Linux allows one 128 KiB. */
export const MAX_HEAD_SEGMENTS = 200;
