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
 * Gathers fragments that start with a keyframe into segments: a fragment belongs to the segment in whose time its first
 * frame is shown. Those before the range are dropped; from the end of the range on nothing is kept.
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
    const { boundaries, first, end, latestStart } = this.#options;
    const frames = readSamples(fragment, TRACK_DEFAULTS)[0]?.samples ?? [];
    const [key] = frames;
    if (key === undefined || this.#next === end) return;
    const shown = frames.reduce((earliest, { pts }) => Math.min(earliest, pts), Infinity);
    if (shown < this.#boundary(first) - BOUNDARY_TOLERANCE_TICKS) return;
    if (!this.#started && shown > latestStart) throw new LateStartError(shown, boundaries[first] ?? 0);
    this.#started = true;
    while (this.#next < end && shown >= this.#boundary(this.#next + 1) - BOUNDARY_TOLERANCE_TICKS) this.#emit();
    if (this.#next === end) return;
    if (this.#frames.length === 0 && !key.sync) {
      throw new AppError('BAD_MEDIA', `segment ${this.#next} does not start with a keyframe`);
    }
    this.#frames.push(...frames);
    this.#bytes += fragment.length;
    if (this.#bytes > MAX_SEGMENT_BYTES) {
      throw new AppError('BAD_MEDIA', `segment ${this.#next} has more than ${MAX_SEGMENT_BYTES} bytes`);
    }
  }

  finish(): void {
    if (this.#frames.length > 0) this.#emit();
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

  #boundary(index: number): number {
    return this.#options.boundaries[index] ?? Infinity;
  }
}
