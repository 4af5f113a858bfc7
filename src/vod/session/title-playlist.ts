import { PLAYLIST_VERSION } from '../../hls/media-playlist.ts';

/** What the media playlist of a whole title says. */
export interface TitlePlaylist {
  /** Ticks of 90 kHz. */
  readonly segmentTicks: readonly number[];
  /** Not less than any segment's rounded length; whole seconds. */
  readonly targetDurationSeconds: number;
  /** Left out: the segments need none. */
  readonly initUri?: string;
  readonly segmentUri: (index: number) => string;
}

const TICKS_PER_SECOND = 90_000;

/** Renders a media playlist of full length (draft-pantos-hls-rfc8216bis, section 4.4.3), whatever is encoded by now. */
export function renderTitlePlaylist({
  segmentTicks,
  targetDurationSeconds,
  initUri,
  segmentUri,
}: TitlePlaylist): string {
  const lines = [
    '#EXTM3U',
    `#EXT-X-VERSION:${PLAYLIST_VERSION}`,
    `#EXT-X-TARGETDURATION:${targetDurationSeconds}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    '#EXT-X-PLAYLIST-TYPE:VOD',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    ...(initUri === undefined ? [] : [`#EXT-X-MAP:URI="${initUri}"`]),
    ...segmentTicks.map((ticks, index) => `#EXTINF:${(ticks / TICKS_PER_SECOND).toFixed(6)},\n${segmentUri(index)}`),
    '#EXT-X-ENDLIST',
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * `EXT-X-TARGETDURATION` of all playlists of a title, whole seconds: the longest segment between boundaries rounded up, so
 * that sound, whose segments end up to half a frame later, stays below it too.
 */
export function titleTargetDuration(boundaries: readonly number[]): number {
  const longest = lengthsBetween(boundaries).reduce((most, ticks) => Math.max(most, ticks), 0);
  return Math.max(1, Math.ceil(longest / TICKS_PER_SECOND));
}

/** Lengths of the segments between boundaries. */
export function lengthsBetween(boundaries: readonly number[]): number[] {
  return boundaries.slice(1).map((end, index) => end - (boundaries[index] ?? 0));
}
