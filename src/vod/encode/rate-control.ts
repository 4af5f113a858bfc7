import type { RenditionSpec } from '../../ladder/rendition.ts';
import type { Size } from '../../transcode/ffmpeg/rung-geometry.ts';
import type { SegmentPlan } from '../source/title.ts';

/** Share of a rung's bitrate that it may have for long. */
const PEAK_FACTOR = 1.25;
/** Bits per pixel of a rung that names no bitrate. */
const DEFAULT_BITS_PER_PIXEL = 0.09;
/** How full the decoder's buffer is when an encoder begins, which it may use up at once. */
const INITIAL_FULLNESS = 0.9;
/** Boxes around each frame, in bytes. */
const FRAME_OVERHEAD_BYTES = 16;
/** Segments shorter than this share of the longest one do not count alone (RFC 8216, 4.3.4.2). */
const SHORT_SEGMENT = 0.5;

/** How many bits an encoder may use; kbit/s and kbit. */
export interface RateControl {
  readonly targetKbps: number;
  readonly maxKbps: number;
  /** Size of the decoder's buffer that the limit is kept by. */
  readonly bufferKbit: number;
}

/** The limits of a rung: constant quality that never exceeds the rung's bitrate by more than a quarter for long. */
export function rateControl(spec: RenditionSpec, { width, height }: Size, frameRate: number): RateControl {
  const byDefault = Math.max(64, Math.round((width * height * frameRate * DEFAULT_BITS_PER_PIXEL) / 1000));
  const targetKbps = spec.videoBitrateKbps ?? byDefault;
  return { targetKbps, maxKbps: Math.round(targetKbps * PEAK_FACTOR), bufferKbit: targetKbps };
}

/** What a rung of such limits never exceeds, bit/s: over a whole title, and in its worst segment. */
export function bandwidthOf(
  { maxKbps, bufferKbit }: RateControl,
  { boundaries }: SegmentPlan,
  frameRate: number,
): { averageBandwidth: number; bandwidth: number } {
  const durations = boundaries.slice(1).map((end, index) => (end - (boundaries[index] ?? 0)) / 90_000);
  const longest = durations.reduce((most, duration) => Math.max(most, duration), 0);
  const shortest = durations
    .filter((duration) => duration >= longest * SHORT_SEGMENT)
    .reduce((least, duration) => Math.min(least, duration), longest || 1);
  const overhead = FRAME_OVERHEAD_BYTES * 8 * frameRate;
  const peak = (maxKbps + (bufferKbit * INITIAL_FULLNESS) / shortest) * 1000;
  return { averageBandwidth: Math.ceil(maxKbps * 1000 + overhead), bandwidth: Math.ceil(peak + overhead) };
}
