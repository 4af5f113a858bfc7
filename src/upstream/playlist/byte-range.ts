import { integerFrom } from './number-text.ts';
import { badLine, type Line, shown } from './playlist-text.ts';

/** A part of a file. */
export interface ByteRange {
  readonly offset: number;
  /** At least 1. */
  readonly length: number;
}

/** `length[@offset]` (RFC 8216, 4.3.2.2); the offset is `undefined` if it is left out. @throws AppError `BAD_MEDIA` */
export function parseByteRange(line: Line, text: string): { length: number; offset: number | undefined } {
  const at = text.indexOf('@');
  const length = integerFrom(at < 0 ? text : text.slice(0, at), Number.MAX_SAFE_INTEGER);
  const offset = at < 0 ? undefined : integerFrom(text.slice(at + 1), Number.MAX_SAFE_INTEGER);
  const isNone = length === undefined || length === 0 || (at >= 0 && offset === undefined);
  if (isNone || length + (offset ?? 0) > Number.MAX_SAFE_INTEGER) {
    throw badLine(line, `has a byte range of ${shown(text)}`);
  }
  return { length, offset };
}

/** Follows the byte ranges of a playlist, of which each may begin where the one before it ended. */
export class ByteRanges {
  #end: { readonly uri: string; readonly offset: number } | undefined;

  /** The next byte range. @throws AppError `BAD_MEDIA` without an offset after something else than a part of that file */
  next(line: Line, uri: URL, { length, offset }: { length: number; offset: number | undefined }): ByteRange {
    const from = offset ?? (this.#end?.uri === uri.href ? this.#end.offset : undefined);
    if (from === undefined || from + length > Number.MAX_SAFE_INTEGER) {
      throw badLine(line, 'has a byte range whose offset is not known');
    }
    this.#end = { uri: uri.href, offset: from + length };
    return { offset: from, length };
  }

  /** Notes that something else than a part of a file came. */
  interrupt(): void {
    this.#end = undefined;
  }
}
