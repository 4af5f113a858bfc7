import { AppError } from '../../util/errors.ts';

/** What a file of a rendition is. */
export type MediaName = { readonly kind: 'init' } | { readonly kind: 'segment' | 'subtitles'; readonly index: number };

/** A number has one spelling, so that a segment has one URL. */
const SEGMENT = /^seg-(0|[1-9]\d{0,5})\.(m4s|vtt)$/;

/**
 * Reads a file name below a rendition.
 * @throws AppError `NOT_FOUND` for any other name
 */
export function parseMediaName(name: string): MediaName {
  if (name === 'init.mp4') return { kind: 'init' };
  const match = SEGMENT.exec(name);
  if (match === null) {
    const file = JSON.stringify(name.slice(0, 100));
    throw new AppError('NOT_FOUND', `there is no file ${file}; see the rendition's index.m3u8`);
  }
  return { kind: match[2] === 'vtt' ? 'subtitles' : 'segment', index: Number(match[1]) };
}
