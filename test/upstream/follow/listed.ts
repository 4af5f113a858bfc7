import { type MediaPlaylist, parseMediaPlaylist } from '../../../src/upstream/playlist/media-playlist.ts';

/** A playlist of segments of 2 s, as a server might list it. */
export interface Listed {
  readonly first: number;
  /** [6] */
  readonly count?: number;
  /** Address of the segment with this number [`/live/NUMBER.ts`]. */
  readonly uri?: (number: number) => string;
  /** Lines before the segment with this number. */
  readonly tags?: (number: number) => readonly string[];
  /** Program date-time of the first segment. */
  readonly dateMs?: number;
  readonly durationMs?: (number: number) => number;
  /** Further lines of the head. */
  readonly head?: readonly string[];
  /** Lines at the end. */
  readonly tail?: readonly string[];
}

/** The text of the playlist. */
export function listedText(options: Listed): string {
  const { first, count = 6, uri = (number) => `/live/${number}.ts`, tags = () => [], dateMs, head = [] } = options;
  const { tail = [], durationMs = () => 2_000 } = options;
  const date = dateMs === undefined ? [] : [`#EXT-X-PROGRAM-DATE-TIME:${new Date(dateMs).toISOString()}`];
  const numbers = Array.from({ length: count }, (_, index) => first + index);
  const body = numbers.flatMap((number) => [
    ...tags(number),
    `#EXTINF:${(durationMs(number) / 1_000).toFixed(3)},`,
    uri(number),
  ]);
  const start = ['#EXTM3U', '#EXT-X-TARGETDURATION:2', `#EXT-X-MEDIA-SEQUENCE:${first}`];
  return [...start, ...head, ...date, ...body, ...tail, ''].join('\n');
}

/** The playlist, parsed. */
export function listed(options: Listed): MediaPlaylist {
  return parseMediaPlaylist(listedText(options), new URL('http://upstream.test/live/index.m3u8'));
}
