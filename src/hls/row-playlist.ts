import { PLAYLIST_VERSION } from './media-playlist.ts';
import type { VodRow } from './vod-row.ts';

/** What a playlist of finished rows says. */
export interface RowPlaylist {
  readonly targetDurationSeconds: number;
  /** In order, with numbers without holes. */
  readonly rows: readonly VodRow[];
  /** True to list only the keyframe at the beginning of each segment. */
  readonly iframesOnly: boolean;
  /** `VOD`: complete for ever; `live`: rows come and go; `ended`: no more will come. */
  readonly type: 'VOD' | 'live' | 'ended';
}

/**
 * Renders recordings, clips and I-frame playlists (draft-pantos-hls-rfc8216bis, sections 4.4.3 and 4.4.4). I-frames are
 * byte ranges into the segments of the media playlist, with the numbers, dates and discontinuities of these; each lasts
 * until the next one.
 */
export function renderRowPlaylist({ targetDurationSeconds, rows, iframesOnly, type }: RowPlaylist): string {
  const [first] = rows;
  const lines = [
    '#EXTM3U',
    `#EXT-X-VERSION:${PLAYLIST_VERSION}`,
    `#EXT-X-TARGETDURATION:${targetDurationSeconds}`,
    `#EXT-X-MEDIA-SEQUENCE:${first?.msn ?? 0}`,
    `#EXT-X-DISCONTINUITY-SEQUENCE:${(first?.discontinuitySequence ?? 0) - Number(first?.discontinuity ?? false)}`,
    '#EXT-X-INDEPENDENT-SEGMENTS',
  ];
  if (iframesOnly) lines.push('#EXT-X-I-FRAMES-ONLY');
  if (type === 'VOD') lines.push('#EXT-X-PLAYLIST-TYPE:VOD');
  let initName: string | undefined;
  for (const row of rows) {
    pushRow(lines, row, { isFirst: row === first, needsMap: row.initName !== initName, iframesOnly });
    initName = row.initName;
  }
  if (type !== 'live') lines.push('#EXT-X-ENDLIST');
  return `${lines.join('\n')}\n`;
}

function pushRow(
  lines: string[],
  row: VodRow,
  { isFirst, needsMap, iframesOnly }: { isFirst: boolean; needsMap: boolean; iframesOnly: boolean },
): void {
  const isGap = row.gap || (iframesOnly && row.keyframeBytes === 0);
  if (row.discontinuity) lines.push('#EXT-X-DISCONTINUITY');
  if (needsMap || row.discontinuity) lines.push(`#EXT-X-MAP:URI="${row.initName}"`);
  if (isFirst || row.discontinuity || row.pdtAnchor) {
    lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(row.programDateTimeMs).toISOString()}`);
  }
  if (isGap) lines.push('#EXT-X-GAP');
  lines.push(`#EXTINF:${(row.durationMs / 1000).toFixed(5)},`);
  if (iframesOnly && !isGap) lines.push(`#EXT-X-BYTERANGE:${row.keyframeBytes}@0`);
  lines.push(row.name);
}
