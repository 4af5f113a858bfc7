/** `Cache-Control` by kind of answer. Failures are `no-store`, whatever they were to be. */
export interface CachePolicy {
  /** A list that may change at any moment: shared caches need not ask more than once a second. */
  readonly live: string;
  /** An answer to a blocking reload: its URL names a version, and who asks for that later gets a newer one at worst. */
  readonly blocking: string;
  /** An ended playlist of a live broadcast, which may come back under the same URL. */
  readonly ended: string;
  /** Media that a live playlist names: the name is never used again, but nobody wants it after it left the list. */
  readonly liveMedia: string;
}

/** A picture that is made anew every few seconds. */
export const STILL_CACHE = 'max-age=5';

/** Playlists that never change but can be deleted. */
export const VOD_CACHE = 'max-age=60';

/** Media of a recording. */
export const VOD_MEDIA_CACHE = 'max-age=86400, immutable';

/** Playlists of a file: their URL is a secret between the viewer and this server. */
export const FILE_PLAYLIST_CACHE = 'private, max-age=10';

/** Subtitles of a file: what cannot be read at first may be there a moment later. */
export const FILE_SUBTITLE_CACHE = 'max-age=60';

/** Media may be cached for this much longer than it can be in a playlist. */
const EXTRA_SECONDS = 60;

/** @param windowMs How far back the longest playlist reaches. */
export function cachePolicy(options: { targetDurationSeconds: number; windowMs: number }): CachePolicy {
  const { targetDurationSeconds, windowMs } = options;
  return {
    live: 'max-age=1',
    blocking: `max-age=${3 * targetDurationSeconds}`,
    ended: `max-age=${targetDurationSeconds}`,
    liveMedia: `max-age=${Math.round(windowMs / 1000) + EXTRA_SECONDS}, immutable`,
  };
}
