/** One entry of a media playlist. */
export interface PlaylistEntry {
  /** Relative to the playlist. */
  readonly uri: string;
  readonly durationMs: number;
  readonly mapUri: string;
  readonly gap: boolean;
  readonly discontinuity: boolean;
  readonly programDateTimeMs: number;
  /** True if the date does not follow from the entry before. */
  readonly pdtAnchor: boolean;
}

/** What a media playlist says. */
export interface MediaPlaylistSnapshot {
  readonly targetDurationSeconds: number;
  readonly mediaSequence: number;
  readonly discontinuitySequence: number;
  readonly entries: readonly PlaylistEntry[];
  /** True if nothing will be added. */
  readonly ended: boolean;
}

/** `EXT-X-GAP` needs 8 (draft-pantos-hls-rfc8216bis, section 8). */
export const PLAYLIST_VERSION = 8;

/** Renders a live media playlist (draft-pantos-hls-rfc8216bis, section 4.4.3 and 4.4.4). */
export function renderMediaPlaylist(snapshot: MediaPlaylistSnapshot): string {
  const lines = [
    '#EXTM3U',
    `#EXT-X-VERSION:${PLAYLIST_VERSION}`,
    `#EXT-X-TARGETDURATION:${snapshot.targetDurationSeconds}`,
    `#EXT-X-MEDIA-SEQUENCE:${snapshot.mediaSequence}`,
    `#EXT-X-DISCONTINUITY-SEQUENCE:${snapshot.discontinuitySequence}`,
    '#EXT-X-INDEPENDENT-SEGMENTS',
  ];
  let mapUri: string | undefined;
  for (const [index, entry] of snapshot.entries.entries()) {
    if (entry.discontinuity) lines.push('#EXT-X-DISCONTINUITY');
    if (entry.mapUri !== mapUri || entry.discontinuity) lines.push(`#EXT-X-MAP:URI="${entry.mapUri}"`);
    mapUri = entry.mapUri;
    if (index === 0 || entry.discontinuity || entry.pdtAnchor) {
      lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(entry.programDateTimeMs).toISOString()}`);
    }
    if (entry.gap) lines.push('#EXT-X-GAP');
    lines.push(`#EXTINF:${(entry.durationMs / 1000).toFixed(5)},`, entry.uri);
  }
  if (snapshot.ended) lines.push('#EXT-X-ENDLIST');
  return `${lines.join('\n')}\n`;
}
