import type { MediaPlaylist } from '../playlist/media-playlist.ts';

const MIN_WARN_MS = 6_000;
const MIN_GIVE_UP_MS = 10_000;
/** Whatever comes more seldom is not waited for with an open request: it would look like a server that does not answer. */
const MAX_HELD_MS = 4_000;
/** Playlists that list more than this many segments and parts take time to read, */
const LONG_LISTED = 4_000;
/** and are not loaded again sooner than so many ms for each of them. */
const MS_PER_LISTED = 0.4;

/**
 * How long after the beginning of a load the next one begins, ms: as long as the last segment lasts, within half a target
 * duration and a whole one; half a target duration if nothing was new (RFC 8216, 6.3.4).
 */
export function reloadIntervalMs({ targetDurationMs, segments }: MediaPlaylist, hadNew: boolean): number {
  const halfMs = targetDurationMs / 2;
  const lastMs = segments.at(-1)?.durationMs ?? targetDurationMs;
  return hadNew ? Math.max(halfMs, Math.min(targetDurationMs, lastMs)) : halfMs;
}

/** How long after the beginning of a load the next one may begin at the earliest, ms: long playlists must not take all time. */
export function leastIntervalMs({ segments, trailingParts }: MediaPlaylist): number {
  const listed = segments.reduce((sum, { parts }) => sum + 1 + parts.length, trailingParts.length);
  return listed > LONG_LISTED ? listed * MS_PER_LISTED : 0;
}

/** After how long without a new segment a live playlist is suspicious, and after how long it is given up, ms. */
export function stallLimits(targetDurationMs: number): { readonly warnMs: number; readonly giveUpMs: number } {
  return {
    warnMs: Math.max(MIN_WARN_MS, 1.5 * targetDurationMs),
    giveUpMs: Math.max(MIN_GIVE_UP_MS, 3 * targetDurationMs),
  };
}

/**
 * Adds what makes the server hold its answer until there is something new (RFC 8216bis, 6.2.5.2); `undefined` if it does
 * not offer that, or what is new comes too seldom. The query that is there already stays as it is, since it may be signed.
 */
export function blockingUrl(url: URL, playlist: MediaPlaylist): URL | undefined {
  const { serverControl, partTargetMs, targetDurationMs, segments, mediaSequence, trailingParts } = playlist;
  const longestMs = partTargetMs ?? targetDurationMs;
  if (serverControl?.canBlockReload !== true || longestMs > MAX_HELD_MS) return undefined;
  const part = partTargetMs === undefined ? '' : `&_HLS_part=${trailingParts.length}`;
  const blocking = new URL(url);
  blocking.search += `${url.search === '' ? '?' : '&'}_HLS_msn=${mediaSequence + segments.length}${part}`;
  return blocking;
}
