import { readSamples } from '../../media/cmaf/sample-reader.ts';
import { AppError } from '../../util/errors.ts';
import { packVideoSegment, type PresentedFrame } from './canonical-fragment.ts';
import {
  BOUNDARY_TOLERANCE_TICKS,
  type HeadSegment,
  MAX_SEGMENT_BYTES,
  type Segmenter,
  type SegmentRange,
} from './segment-range.ts';

const TRACK_DEFAULTS = new Map([[1, { duration: 0, size: 0, flags: 0x010000 }]]);

/** What a segmenter of the picture works with. */
export interface VideoSegmenterOptions extends SegmentRange {
  /** `SegmentPlan.boundaries`. */
  readonly boundaries: readonly number[];
  readonly delayTicks: number;
  /** The first frame must not be shown later than this, or frames have been missed; ticks. */
  readonly latestStart: number;
  readonly onSegment: (segment: HeadSegment) => void;
}

/** Thrown when the first frame comes later than it should. */
export class LateStartError extends AppError {
  constructor(ptsTicks: number, wantedTicks: number) {
    super('TRANSCODER_FAILED', `the first frame came at ${ptsTicks} instead of ${wantedTicks} (ticks of 90 kHz)`);
  }
}

/**
 * Gathers fragments, each of which begins where a keyframe does or holds none, into segments: a keyframe and what follows it
 * belong to the segment in whose time it is shown. What is before the range is dropped; from its end on nothing is kept. A
 * segment is complete when the next one begins.
 */
export class VideoSegmenter implements Segmenter {
  readonly #options: VideoSegmenterOptions;
  #next: number;
  #frames: PresentedFrame[] = [];
  #bytes = 0;
  #started = false;

  constructor(options: VideoSegmenterOptions) {
    this.#options = options;
    this.#next = options.first;
  }

  get next(): number {
    return this.#next;
  }

  push(fragment: Buffer): void {
    const frames = readSamples(fragment, TRACK_DEFAULTS)[0]?.samples ?? [];
    const [key] = frames;
    if (key === undefined || this.#next === this.#options.end) return;
    const shown = frames.reduce((earliest, { pts }) => Math.min(earliest, pts), Infinity);
    if (key.sync) this.#turnTo(shown);
    else if (this.#frames.length > 0 && shown >= this.#startOf(this.#next + 1)) {
      throw new AppError('BAD_MEDIA', `segment ${this.#next + 1} does not start with a keyframe`);
    }
    if (!this.#started || this.#next === this.#options.end) return;
    this.#frames.push(...frames);
    this.#bytes += fragment.length;
    if (this.#bytes > MAX_SEGMENT_BYTES) {
      throw new AppError('BAD_MEDIA', `segment ${this.#next} has more than ${MAX_SEGMENT_BYTES} bytes`);
    }
  }

  finish(): void {
    if (this.#frames.length > 0) this.#emit();
  }

  /** A keyframe that is shown then comes: what belongs before it is complete. */
  #turnTo(shown: number): void {
    const { boundaries, first, end, latestStart } = this.#options;
    if (shown < this.#startOf(first)) return;
    if (!this.#started && shown > latestStart) throw new LateStartError(shown, boundaries[first] ?? 0);
    this.#started = true;
    while (this.#next < end && shown >= this.#startOf(this.#next + 1)) this.#emit();
  }

  #emit(): void {
    const index = this.#next;
    const [startTicks, endTicks] = [this.#boundary(index), this.#boundary(index + 1)];
    const { delayTicks, onSegment } = this.#options;
    const bytes = packVideoSegment({ index, startTicks, endTicks, delayTicks, frames: this.#frames });
    this.#frames = [];
    this.#bytes = 0;
    this.#next += 1;
    onSegment({ index, bytes, durationTicks: endTicks - startTicks });
  }

  /** Frames from then on belong to the segment. */
  #startOf(index: number): number {
    return this.#boundary(index) - BOUNDARY_TOLERANCE_TICKS;
  }

  #boundary(index: number): number {
    return this.#options.boundaries[index] ?? Infinity;
  }
}
