import { type Fragment, LADDER_TIMESCALE, toLadderTicks } from '../media/fragment.ts';
import { ProgramClock } from './program-clock.ts';

/** Keyframes of different renditions this near (ladder ticks, 5 ms) are the same one. */
export const KEYFRAME_TOLERANCE = 450;

/** Audio alone for this long means that no video comes. */
const AUDIO_ONLY_AFTER = 1.5 * LADDER_TIMESCALE;

/** Two source GOPs in a row that fit make the source's own keyframes the boundaries. */
const FITTING_GOPS = 2;

const MAX_KEYFRAMES = 1_024;

/** What has been seen of one epoch, from the source and from the encoded rungs. Times in ladder ticks. */
export class EpochObservations {
  readonly epoch: number;
  readonly clock = new ProgramClock();
  readonly #limit: number;
  /** True while boundaries fall on the source's keyframes only. */
  aligned: boolean;
  /** True if there is no video. */
  audioDriven = false;
  /** Where the epoch's first slot starts, once known. */
  startPts: number | undefined;
  /** Presentation time of the newest frame, per kind, and where the source's media ends so far. */
  newestVideo = -Infinity;
  newestAudio = -Infinity;
  endPts = -Infinity;
  /** Newest frame of any encoded rung. */
  newestOutput = -Infinity;
  lastKeyframe: number | undefined;
  /** Distance of the newest two source keyframes, or to the newest frame once that is longer. */
  gop: number | undefined;
  /** Source keyframes that no boundary decision has passed yet, ascending. */
  sourceKeyframes: number[] = [];
  /** The same of encoded rungs. */
  offers: number[] = [];
  #fittingGops = 0;
  #firstAudio: number | undefined;

  /** @param limit longest GOP that fits a segment */
  constructor(epoch: number, limit: number, aligned: boolean) {
    this.epoch = epoch;
    this.#limit = limit;
    this.aligned = aligned;
  }

  observeVideo(fragment: Fragment): void {
    const pts = toLadderTicks(fragment.firstPts, fragment.init.timescale);
    if (fragment.keyframe) this.#observeKeyframe(pts);
    this.newestVideo = Math.max(this.newestVideo, pts);
    if (!this.audioDriven) this.#observeArrival(pts, fragment);
    if (this.lastKeyframe === undefined) return;
    const running = this.newestVideo - this.lastKeyframe;
    if (running <= this.#limit) return;
    this.aligned = false;
    this.#fittingGops = 0;
    this.gop = Math.max(this.gop ?? 0, running);
  }

  observeAudio(fragment: Fragment): void {
    const pts = toLadderTicks(fragment.firstPts, fragment.init.timescale);
    this.#firstAudio ??= pts;
    this.newestAudio = Math.max(this.newestAudio, pts);
    this.audioDriven ||= this.startPts === undefined && this.newestAudio - this.#firstAudio > AUDIO_ONLY_AFTER;
    if (this.startPts === undefined || this.audioDriven) this.#observeArrival(pts, fragment);
    if (this.audioDriven) this.startPts ??= this.#firstAudio;
    // Video that stands still for so long gives no boundaries.
    const videoStands = this.newestVideo > -Infinity && this.newestAudio - this.newestVideo > 3 * this.#limit;
    if (videoStands) this.aligned = false;
  }

  /** An encoded rung's output; `decidedTo` is where boundaries are decided already. */
  observeRung(fragment: Fragment, decidedTo: number): void {
    const pts = toLadderTicks(fragment.firstPts, fragment.init.timescale);
    this.newestOutput = Math.max(this.newestOutput, pts);
    if (!fragment.keyframe || pts <= decidedTo) return;
    if (this.offers.some((offer) => Math.abs(offer - pts) <= KEYFRAME_TOLERANCE)) return;
    this.offers = [...this.offers, pts].sort((a, b) => a - b).slice(-MAX_KEYFRAMES);
  }

  /** Forgets keyframes up to a time: the boundaries there are decided. */
  forget(decidedTo: number): void {
    while ((this.sourceKeyframes[0] ?? Infinity) <= decidedTo) this.sourceKeyframes.shift();
    while ((this.offers[0] ?? Infinity) <= decidedTo) this.offers.shift();
  }

  #observeKeyframe(pts: number): void {
    if (this.lastKeyframe !== undefined) {
      if (pts <= this.lastKeyframe) return;
      this.gop = pts - this.lastKeyframe;
      this.#fittingGops = this.gop <= this.#limit ? this.#fittingGops + 1 : 0;
      this.aligned = this.gop <= this.#limit && (this.aligned || this.#fittingGops >= FITTING_GOPS);
    }
    if (this.startPts === undefined) this.#restartClock();
    this.startPts ??= pts;
    this.lastKeyframe = pts;
    this.sourceKeyframes.push(pts);
    if (this.sourceKeyframes.length > MAX_KEYFRAMES) this.sourceKeyframes.shift();
  }

  #observeArrival(pts: number, fragment: Fragment): void {
    this.endPts = Math.max(this.endPts, toLadderTicks(fragment.endPts, fragment.init.timescale));
    this.clock.observe((pts * 1000) / LADDER_TIMESCALE, fragment.ingestedAtMs);
  }

  /** The first keyframe's arrival is the anchor, not that of audio before it. */
  #restartClock(): void {
    this.clock.reset();
    this.endPts = -Infinity;
  }
}
