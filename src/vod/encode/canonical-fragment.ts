import { box, fullBox, u32 } from '../../media/cmaf/box-writer.ts';
import { layOutMovieFragment, type SampleRow } from '../../media/cmaf/movie-fragment.ts';
import type { VideoFacts } from '../source/title.ts';

/** What every segment's decode times have added, in ticks of 90 kHz: none is negative then. The same for all titles. */
export const TIMELINE_ORIGIN_TICKS = 900_000;

/** Reordering that encoders do with two levels of B-frames, at up to 30 frames a second, and the most that is allowed for. */
const REORDERED_FRAMES = 2;
const REORDERED_FRAME_RATE = 30;
const MAX_REORDER_TICKS = 22_500;

/** A frame to be packed; `pts` in ticks of 90 kHz from the title's start. */
export interface PresentedFrame {
  readonly pts: number;
  readonly sync: boolean;
  readonly data: Buffer;
}

/** The frames of one segment, in decoding order, and the time that it fills. */
export interface VideoSegmentParts {
  readonly index: number;
  /** Ticks of 90 kHz from the title's start. */
  readonly startTicks: number;
  readonly endTicks: number;
  /** See `reorderDelay()`. */
  readonly delayTicks: number;
  readonly frames: readonly PresentedFrame[];
}

/** How long before it is shown a frame of this picture is decoded, the same in all of a title's renditions; ticks of 90 kHz. */
export function reorderDelay({ frameRate, copy }: Pick<VideoFacts, 'frameRate' | 'copy'>): number {
  const usual = Math.round((REORDERED_FRAMES * 90_000) / Math.min(frameRate, REORDERED_FRAME_RATE));
  return Math.min(MAX_REORDER_TICKS, Math.max(usual, copy?.reorderTicks ?? 0));
}

/**
 * Packs a segment of the picture into one `moof` + `mdat`. Its decode times depend on nothing but the presentation times
 * and the segment's place, so segments of different encoders, heads and renditions follow one another without a gap; every
 * presentation time is kept, and none is before its decode time. A segment without a frame is allowed.
 */
export function packVideoSegment({ index, startTicks, endTicks, delayTicks, frames }: VideoSegmentParts): Buffer {
  const origin = TIMELINE_ORIGIN_TICKS - delayTicks;
  const decodeTimes = decodeTimesOf(frames, startTicks, delayTicks);
  const [first] = decodeTimes;
  if (first === undefined) return packNothing(index, startTicks + origin);
  const samples = frames.map(({ pts, sync, data }, at): SampleRow => {
    const dts = decodeTimes[at] ?? 0;
    const next = decodeTimes[at + 1] ?? Math.max(dts + 1, endTicks - delayTicks);
    return { duration: next - dts, size: data.length, sync, compositionOffset: pts - dts };
  });
  const data = frames.map((frame) => frame.data);
  return pack(index, first + TIMELINE_ORIGIN_TICKS, samples, data);
}

/** Access units of one segment of sound, all of the same length. */
export interface AudioSegmentParts {
  readonly index: number;
  /** Decode time of the first one, in samples. */
  readonly startSamples: number;
  readonly unitSamples: number;
  /** At least one. */
  readonly units: readonly Buffer[];
}

/** Packs a segment of sound into one `moof` + `mdat`. */
export function packAudioSegment({ index, startSamples, unitSamples, units }: AudioSegmentParts): Buffer {
  const samples = units.map(({ length }) => ({
    ...{ duration: unitSamples, size: length, sync: true, compositionOffset: 0 },
  }));
  return pack(index, startSamples, samples, units);
}

/**
 * In the order of decoding, the n-th frame is decoded a constant delay before the n-th that is shown. Where the delay is
 * too short for a frame, it and those before it are decoded earlier.
 */
function decodeTimesOf(frames: readonly PresentedFrame[], startTicks: number, delayTicks: number): number[] {
  const shown = frames.map(({ pts }) => pts).sort((a, b) => a - b);
  shown[0] = startTicks;
  const times: number[] = [];
  let next = Infinity;
  for (let at = frames.length - 1; at >= 0; at -= 1) {
    next = Math.min((shown[at] ?? 0) - delayTicks, frames[at]?.pts ?? 0, next - 1);
    times[at] = next;
  }
  return times;
}

function pack(index: number, baseDecodeTime: number, samples: readonly SampleRow[], data: readonly Buffer[]): Buffer {
  const payloadBytes = data.reduce((sum, { length }) => sum + length, 0);
  const { bytes, payload } = layOutMovieFragment({ sequenceNumber: index + 1, baseDecodeTime, samples, payloadBytes });
  let at = 0;
  for (const piece of data) at += piece.copy(payload, at);
  return bytes;
}

function packNothing(index: number, decodeTime: number): Buffer {
  const tfhd = fullBox('tfhd', 0, 0x020000, u32(1));
  const tfdt = fullBox('tfdt', 1, 0, u32(Math.floor(decodeTime / 2 ** 32), decodeTime % 2 ** 32));
  const moof = box('moof', fullBox('mfhd', 0, 0, u32(index + 1)), box('traf', tfhd, tfdt));
  return Buffer.concat([moof, box('mdat')]);
}
