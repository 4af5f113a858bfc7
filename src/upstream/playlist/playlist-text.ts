import { AppError } from '../../util/errors.ts';
import { PLAYLIST_LIMITS } from './limits.ts';

const SHOWN_CHARS = 40;
const MULTIVARIANT_TAGS = /^#EXT-X-(?:STREAM-INF|I-FRAME-STREAM-INF|MEDIA):/m;

/** A line that is not blank, without white space around it. */
export interface Line {
  /** Counted from 1. */
  readonly number: number;
  readonly text: string;
}

/**
 * Whether a playlist lists variants or segments (RFC 8216, 4.1).
 * @throws AppError `BAD_MEDIA` if it is too long or no playlist
 */
export function playlistKind(text: string): 'multivariant' | 'media' {
  checkStart(text);
  return MULTIVARIANT_TAGS.test(text) ? 'multivariant' : 'media';
}

/** Whether a text begins as a playlist does (RFC 8216, 4.3.1.1); its first 4 kB are enough. */
export function isPlaylist(text: string): boolean {
  return /^\uFEFF?\s*#EXTM3U(?:\s|$)/.test(text.slice(0, 4_096));
}

/**
 * The lines of a playlist but for its first, blank ones and comments.
 * @throws AppError `BAD_MEDIA` if it is too long or no playlist, and where a line is too long
 */
export function* linesOf(text: string): Generator<Line> {
  checkStart(text);
  let number = 0;
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    number += 1;
    if (end - at > PLAYLIST_LIMITS.lineChars) {
      throw badLine({ number, text: '' }, `has ${end - at} characters; ${PLAYLIST_LIMITS.lineChars} are the limit`);
    }
    const line = text.slice(at, end).trim();
    at = end + 1;
    if (line !== '' && (!line.startsWith('#') || (line.startsWith('#EXT') && !isHeader(line)))) {
      yield { number, text: line };
    }
  }
}

/** A refusal that names the line. */
export function badLine({ number }: Line, reason: string): AppError {
  return new AppError('BAD_MEDIA', `line ${number} of the playlist ${reason}`);
}

/** The beginning of a value for a message; never to be used with addresses, which may hold secrets. */
export function shown(value: string): string {
  return `"${value.slice(0, SHOWN_CHARS).replace(/[^\x20-\x7e]/g, '?')}"`;
}

function checkStart(text: string): void {
  if (text.length > PLAYLIST_LIMITS.bytes) {
    throw new AppError(
      'BAD_MEDIA',
      `the playlist has ${text.length} characters; ${PLAYLIST_LIMITS.bytes} are the limit`,
    );
  }
  if (!isPlaylist(text)) {
    throw new AppError('BAD_MEDIA', 'the address does not answer with an HLS playlist: its first line is not #EXTM3U');
  }
}

function isHeader(line: string): boolean {
  return line.startsWith('#EXTM3U') && (line.length === 7 || /\s/.test(line.charAt(7)));
}
