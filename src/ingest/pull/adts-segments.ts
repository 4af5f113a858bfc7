import { LADDER_TIMESCALE, type TrackInit } from '../../media/fragment.ts';
import type { DemuxedFrame } from '../fmp4-demuxer.ts';
import { AdtsStream } from './adts-stream.ts';
import type { FrameOutlet, SegmentDemuxer, SegmentStart } from './segment-demuxer.ts';
import { isTimeBreak } from './time-break.ts';
import { ticksBetween } from './ts-times.ts';

const FRAME_SAMPLES = 1_024;
/** A segment that says to begin within this of where the one before ends goes on there; in ticks of 90 kHz. */
const SAME_TICKS = 0.05 * LADDER_TIMESCALE;

/** Segments of packed audio: AAC with ADTS headers, and an ID3 tag with the time of each segment (RFC 8216, 3.4). */
export class AdtsSegments implements SegmentDemuxer {
  readonly #outlet: FrameOutlet;
  readonly #stream = new AdtsStream();
  #breaks = true;
  #init: TrackInit | undefined;
  /** What the newest tag tells, until the frame after it. */
  #toldTicks: number | undefined;
  /** Where the next frame is, in samples. */
  #nextSamples = 0;

  constructor(outlet: FrameOutlet) {
    this.#outlet = outlet;
  }

  beginSegment({ breaks }: SegmentStart): void {
    this.#breaks ||= breaks;
    this.#stream.reset();
  }

  async push(piece: Buffer): Promise<void> {
    const frames: DemuxedFrame[] = [];
    for (const item of this.#stream.push(piece)) {
      if ('startTicks' in item) {
        this.#toldTicks = item.startTicks;
        continue;
      }
      const { init, data } = item;
      if (this.#place(init)) {
        this.#outlet.push(frames.splice(0));
        await this.#outlet.begin(['audio']);
      }
      const dts = this.#nextSamples;
      frames.push({ init, frame: { dts, pts: dts, duration: FRAME_SAMPLES, sync: true, data } });
      this.#nextSamples += FRAME_SAMPLES;
    }
    if (frames.length > 0) this.#outlet.push(frames);
  }

  endSegment(): Promise<void> {
    return Promise.resolve();
  }

  end(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Finds where the next frame is; true if it begins a new leg. */
  #place(init: TrackInit): boolean {
    const ticksPerSample = LADDER_TIMESCALE / init.timescale;
    const hole = this.#toldTicks === undefined ? 0 : ticksBetween(this.#nextSamples * ticksPerSample, this.#toldTicks);
    const isOther = this.#init?.timescale !== init.timescale;
    const breaks = this.#breaks || isOther || isTimeBreak(hole);
    if (breaks && this.#toldTicks !== undefined) this.#nextSamples = Math.round(this.#toldTicks / ticksPerSample);
    else if (breaks) this.#nextSamples = 0;
    else if (Math.abs(hole) > SAME_TICKS) this.#nextSamples += Math.round(hole / ticksPerSample);
    this.#init = init;
    this.#toldTicks = undefined;
    this.#breaks = false;
    return breaks;
  }
}
