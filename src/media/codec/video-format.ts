import { AppError } from '../../util/errors.ts';

/** Largest width and height, in pixels, of any codec that is accepted. */
const MAX_DIMENSION = 16_384;
const MAX_FRAME_RATE = 480;

/** What a decoder configuration tells about the picture. */
export interface VideoFormat {
  /** RFC 6381 codec string. */
  readonly codec: string;
  /** Pixels after cropping; absent if the configuration does not tell. */
  readonly width?: number;
  readonly height?: number;
  /** Frames per second, with `fixedFrameRate` telling whether it is binding or only nominal. */
  readonly frameRate?: number;
  readonly fixedFrameRate?: boolean;
}

/** The value if it can be a width or height in pixels. */
export function usableDimension(value: number | undefined): number | undefined {
  return value !== undefined && Number.isInteger(value) && value > 0 && value <= MAX_DIMENSION ? value : undefined;
}

/** The value if it can be a frame rate. */
export function usableFrameRate(value: number | undefined): number | undefined {
  return value !== undefined && value >= 1 && value <= MAX_FRAME_RATE ? value : undefined;
}

/** @throws AppError `BAD_MEDIA` if this is not a picture size. */
export function checkSize(width: number, height: number, what: string): { width: number; height: number } {
  if (usableDimension(width) === undefined || usableDimension(height) === undefined) {
    throw new AppError(
      'BAD_MEDIA',
      `the ${what} says ${width}x${height} pixels; both must be within 1 and ${MAX_DIMENSION}`,
    );
  }
  return { width, height };
}
