import type { RenditionSpec } from '../../ladder/rendition.ts';
import type { TrackInit } from '../../media/fragment.ts';

/** Pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Pixels of a source, as far as they are known. */
type SourceSize = Pick<TrackInit, 'width' | 'height'>;

/** Frame rate of sources that do not tell theirs. */
const ASSUMED_FRAME_RATE = 30;
/** Declared frame rates outside of these are not believed. */
const PLAUSIBLE_FRAME_RATES = Object.freeze({ min: 5, max: 300 });
/** Distance of the keyframes that every rung has between those of the source, in seconds. */
const KEYFRAME_INTERVAL_S = 2;
/** A source this little above a rung's frame rate cap is left alone: declared rates are not exact. */
const FRAME_RATE_TOLERANCE = 0.05;

/** Why a rung has no place on a source of this size, or `undefined` if it has. Never upscaled, equal size is fine. */
export function sizeObjection(spec: RenditionSpec, init: SourceSize): string | undefined {
  const { width, height } = init;
  if (width === undefined || height === undefined) return undefined;
  const { width: maxWidth = Infinity, height: maxHeight = Infinity } = spec;
  const isLarger =
    spec.width === undefined || spec.height === undefined
      ? Math.min(maxWidth / width, maxHeight / height) > 1
      : maxWidth > width && maxHeight > height;
  return isLarger ? `${sizeText(spec)} is larger than the source’s ${width}x${height}` : undefined;
}

function sizeText({ width, height }: RenditionSpec): string {
  if (width === undefined) return `height ${height ?? 0}`;
  return height === undefined ? `width ${width}` : `${width}x${height}`;
}

/** The rung's size on this source: inside its box, the source's shape, even, never upscaled. */
export function fittedSize(spec: RenditionSpec, init: SourceSize): Size {
  const width = init.width ?? spec.width ?? 1920;
  const height = init.height ?? spec.height ?? 1080;
  const scale = Math.min(1, (spec.width ?? Infinity) / width, (spec.height ?? Infinity) / height);
  return { width: even(width * scale), height: even(height * scale) };
}

function even(pixels: number): number {
  return Math.max(2, 2 * Math.round(pixels / 2));
}

/** ffmpeg's filter for `fittedSize()`; it also makes pixels square, which only the decoder knows of. */
export function scaleFilter({ width, height }: RenditionSpec): string {
  const limits = ['1'];
  if (width !== undefined) limits.push(`${width}/(iw*sar)`);
  if (height !== undefined) limits.push(`${height}/ih`);
  const scale = limits.reduce((product, limit) => `min(${product},${limit})`);
  return `scale=w='max(2,2*round(iw*sar*${scale}/2))':h='max(2,2*round(ih*${scale}/2))',setsar=1`;
}

/** How many frames of the source become one of the rung, and how far apart the rung's own keyframes are. */
export interface FramePlan {
  /** Every how many-th frame is kept. */
  readonly divisor: number;
  /** Longest GOP, in frames of the rung. */
  readonly gopFrames: number;
  readonly frameRate: number;
  /** True if the source tells its frame rate. */
  readonly declared: boolean;
}

/**
 * Plans the frames of a rung. All rungs of a source get keyframes at the very same frames: the interval is a whole number
 * of the source's frames that every rung's divisor divides.
 */
export function planFrames(spec: RenditionSpec, init: TrackInit): FramePlan {
  const declaredRate = plausible(init.frameRate);
  const sourceRate = declaredRate ?? ASSUMED_FRAME_RATE;
  const sourceGopFrames = Math.max(1, Math.round(KEYFRAME_INTERVAL_S * sourceRate));
  const ratio = sourceRate / (spec.maxFrameRate ?? Infinity);
  let divisor = Math.max(1, Math.ceil(ratio - FRAME_RATE_TOLERANCE));
  while (divisor < sourceGopFrames && sourceGopFrames % divisor !== 0) divisor += 1;
  divisor = Math.min(divisor, sourceGopFrames);
  return {
    divisor,
    gopFrames: sourceGopFrames / divisor,
    frameRate: sourceRate / divisor,
    declared: declaredRate !== undefined,
  };
}

function plausible(frameRate: number | undefined): number | undefined {
  const { min, max } = PLAUSIBLE_FRAME_RATES;
  return frameRate !== undefined && frameRate >= min && frameRate <= max ? frameRate : undefined;
}

/** ffmpeg's filter for the plan: it counts from each source keyframe, so that those and the rung's own stay. */
export function frameFilter({ divisor }: FramePlan): string | undefined {
  return divisor === 1 ? undefined : `select='if(key,st(0,n)*0+1,not(mod(n-ld(0),${divisor})))'`;
}
