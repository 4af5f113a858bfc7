import { CHECK_MEDIA, type CheckMedia, makeCheckMedia, withDecodeTime } from './check-media.ts';

/** The renditions of the stream that checks are tested with. */
export type RenditionName = keyof typeof CHECK_MEDIA;

/** One part: its frames, its length, and when it can be published, in seconds since the stream began. */
export interface StreamPart {
  readonly bytes: Buffer;
  readonly durationS: number;
  readonly readyS: number;
}

/** One segment, numbered from 0. */
export interface StreamSegment {
  readonly index: number;
  readonly epoch: number;
  readonly parts: readonly StreamPart[];
  readonly bytes: Buffer;
  readonly durationS: number;
  /** When its first frame is shown, in seconds since the stream began. */
  readonly startS: number;
  readonly keyframeBytes: number;
}

/** The segment that begins the second epoch: another init, and time from 0 again. */
export const EPOCH_SEGMENT = 6;

const LOOP_S = 8;
const FRAMES_PER_PART = { lo: 6, hi: 6, audio: 12 };

/** An endless stream of 1 s segments with 0.25 s parts, the same in all renditions; a function of time only. */
export class CheckStream {
  readonly #media: Record<RenditionName, CheckMedia>;
  readonly #segments = new Map<string, StreamSegment>();

  constructor(media: Record<RenditionName, CheckMedia>) {
    this.#media = media;
  }

  static async make(): Promise<CheckStream> {
    const [lo, hi, audio] = await Promise.all([CHECK_MEDIA.lo, CHECK_MEDIA.hi, CHECK_MEDIA.audio].map(makeCheckMedia));
    return new CheckStream({ lo: lo!, hi: hi!, audio: audio! });
  }

  init(rendition: RenditionName): Buffer {
    return this.#media[rendition].init;
  }

  segment(rendition: RenditionName, index: number): StreamSegment {
    const key = `${rendition}/${index}`;
    const segment = this.#segments.get(key) ?? this.#cut(rendition, index);
    this.#segments.set(key, segment);
    return segment;
  }

  /** How many whole segments and how many parts of the next are ready. */
  progress(rendition: RenditionName, nowS: number): { segments: number; parts: number } {
    let segments = Math.max(0, Math.floor(nowS) - 1);
    while (this.segment(rendition, segments).parts.at(-1)!.readyS <= nowS) segments += 1;
    const parts = this.segment(rendition, segments).parts.filter(({ readyS }) => readyS <= nowS).length;
    return { segments, parts };
  }

  /** bit/s of the largest segment and of all, as long as the loop is. */
  rates(rendition: RenditionName): { peak: number; average: number } {
    const segments = Array.from({ length: LOOP_S }, (_, index) => this.segment(rendition, EPOCH_SEGMENT + index));
    const bits = segments.map(({ bytes, durationS }) => (bytes.length * 8) / durationS);
    return { peak: Math.max(...bits), average: bits.reduce((total, rate) => total + rate, 0) / bits.length };
  }

  #cut(rendition: RenditionName, index: number): StreamSegment {
    const { fragments, timescale, frameTicks } = this.#media[rendition];
    const epoch = index < EPOCH_SEGMENT ? 0 : 1;
    const epochStartS = epoch * EPOCH_SEGMENT;
    const frameAt = (second: number): number => Math.ceil((second * timescale) / frameTicks);
    const from = frameAt(index - epochStartS);
    const to = frameAt(index + 1 - epochStartS);
    const secondsOf = (frames: number): number => (frames * frameTicks) / timescale;
    const frames = Array.from({ length: to - from }, (_, offset) => {
      const frame = from + offset;
      return withDecodeTime(fragments[frame % fragments.length]!, frame * frameTicks);
    });
    const size = FRAMES_PER_PART[rendition];
    const parts = Array.from({ length: Math.ceil(frames.length / size) }, (_, part) => {
      const own = frames.slice(part * size, (part + 1) * size);
      const end = Math.min(frames.length, (part + 1) * size);
      const readyS = epochStartS + secondsOf(from + end);
      return { bytes: Buffer.concat(own), durationS: secondsOf(own.length), readyS };
    });
    return {
      index,
      epoch,
      parts,
      bytes: Buffer.concat(frames),
      durationS: secondsOf(frames.length),
      startS: epochStartS + secondsOf(from),
      keyframeBytes: frames[0]!.length,
    };
  }
}
