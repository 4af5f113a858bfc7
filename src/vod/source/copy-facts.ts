import type { ProbedVideo } from './probe.ts';
import { lowerBound, MAX_COPY_TICKS, TICKS_PER_SECOND } from './segment-plan.ts';
import type { CopyFacts } from './title.ts';
import type { VideoIndex } from './video-index.ts';

const PROFILES = new Set(['Constrained Baseline', 'Baseline', 'Main', 'High']);
const PIXEL_FORMATS = new Set(['yuv420p', 'yuvj420p']);
/** 6.2, as ffprobe writes it. */
const MAX_LEVEL = 62;
/** Pixels that are as good as square. */
const MAX_PIXEL_STRETCH = 0.02;
/** What our own boxes add at 60 frames a second, bit/s. */
const BOX_OVERHEAD = 16_000;

/** What of a picture's packaging players would stumble over if its frames were served as they are; for people. */
export function copyObjection(video: ProbedVideo, index: VideoIndex | undefined): string | undefined {
  return formatObjection(video) ?? indexObjection(index);
}

/** What of the picture itself keeps browsers from playing it as it is; for people. */
export function formatObjection(video: ProbedVideo): string | undefined {
  const { codec, profile, level, pixelFormat, pixelAspect } = video;
  if (codec !== 'h264') return `it is ${codec}, not H.264`;
  if (profile === undefined || !PROFILES.has(profile)) return `its profile is ${profile ?? 'not known'}`;
  if (pixelFormat === undefined || !PIXEL_FORMATS.has(pixelFormat))
    return `its pixels are ${pixelFormat ?? 'not known'}`;
  if (level === undefined || level <= 0 || level > MAX_LEVEL) return `its level is ${level ?? 'not known'}`;
  if (video.isInterlaced) return 'it is interlaced';
  if (video.isRotated) return 'it is rotated';
  if (Math.abs(pixelAspect - 1) > MAX_PIXEL_STRETCH) return `its pixels are not square (${pixelAspect.toFixed(3)})`;
  return undefined;
}

function indexObjection(index: VideoIndex | undefined): string | undefined {
  if (index?.endTicks === undefined) return 'nothing tells where its keyframes are';
  const { keyframes, endTicks, isClosed, hidesFrames } = index;
  if (isClosed === undefined) return 'nothing tells how its frames depend on each other';
  if (!isClosed) return 'frames are shown before the keyframe that they follow';
  if (hidesFrames) return 'its edit list hides frames between keyframes';
  const gaps = Array.from(keyframes, (ticks, at) => (keyframes[at + 1] ?? endTicks) - ticks);
  const longest = gaps.reduce((most, gap) => Math.max(most, gap), 0);
  if (longest <= MAX_COPY_TICKS) return undefined;
  return `its keyframes are up to ${(longest / TICKS_PER_SECOND).toFixed(1)} s apart`;
}

/**
 * `avc1.PPCCLL` for a decoder configuration: an `avcC`, or parameter sets behind start codes; `undefined` if it is neither.
 */
export function avcCodecOf(config: Buffer): string | undefined {
  if (config[0] === 1) return config.length < 4 ? undefined : `avc1.${config.toString('hex', 1, 4)}`;
  const sps = [...startsOf(config)].find((at) => ((config[at] ?? 0) & 0x1f) === 7);
  return sps === undefined || sps + 4 > config.length ? undefined : `avc1.${config.toString('hex', sps + 1, sps + 4)}`;
}

/** Where NAL units begin (ITU-T H.264, annex B). */
function* startsOf(stream: Buffer): Generator<number> {
  const startCode = Buffer.from([0, 0, 1]);
  for (let at = stream.indexOf(startCode); at >= 0; at = stream.indexOf(startCode, at + 3)) yield at + 3;
}

/** What copies of these frames need on the network. @param boundaries keyframes of the index, and its end */
export function measureCopy(codec: string, index: VideoIndex, boundaries: readonly number[]): CopyFacts {
  const { keyframes, gopBytes, reorderTicks = 0 } = index;
  const sums = new Float64Array(gopBytes.length + 1);
  gopBytes.forEach((bytes, at) => (sums[at + 1] = (sums[at] ?? 0) + bytes));
  const bytesBefore = (ticks: number): number => sums[lowerBound(keyframes, ticks)] ?? 0;
  const bandwidthOf = (from: number, until: number): number =>
    Math.ceil(((bytesBefore(until) - bytesBefore(from)) * 8 * TICKS_PER_SECOND) / (until - from)) + BOX_OVERHEAD;
  const segments = boundaries.slice(1).map((until, at) => bandwidthOf(boundaries[at] ?? 0, until));
  return {
    codec,
    averageBandwidth: bandwidthOf(boundaries[0] ?? 0, boundaries.at(-1) ?? 0),
    bandwidth: segments.reduce((most, bandwidth) => Math.max(most, bandwidth), 0),
    reorderTicks,
  };
}
