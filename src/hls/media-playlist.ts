/** A partial segment as a playlist lists it. */
export interface PlaylistPart {
  /** Relative to the playlist. */
  readonly uri: string;
  readonly durationMs: number;
  /** True if decoding may start at its first frame. */
  readonly independent: boolean;
}

/** What media needs besides its own file, and where it lies in time. */
interface PlaylistPlace {
  readonly mapUri: string;
  readonly discontinuity: boolean;
  readonly programDateTimeMs: number;
  /** True if the date does not follow from the entry before. */
  readonly pdtAnchor: boolean;
}

/** One entry of a media playlist. */
export interface PlaylistEntry extends PlaylistPlace {
  /** Relative to the playlist. */
  readonly uri: string;
  readonly durationMs: number;
  readonly gap: boolean;
  /** Its parts, if they are to be listed. */
  readonly parts?: readonly PlaylistPart[];
}

/** The segment that is being filled, at the end of a low-latency playlist. */
export interface OpenEntry extends PlaylistPlace {
  /** At least one. */
  readonly parts: readonly PlaylistPart[];
}

/** What the server does for those who reload (`EXT-X-SERVER-CONTROL`). */
export interface ServerControl {
  readonly canBlockReload: boolean;
  readonly canSkipUntilMs: number;
  readonly holdBackMs: number;
  /** Given for low latency. */
  readonly partHoldBackMs?: number | undefined;
}

/** How far another playlist of the same broadcast is. */
export interface RenditionPosition {
  /** Relative to the playlist. */
  readonly uri: string;
  readonly lastMsn: number;
  /** Part of segment `lastMsn`, if there are parts. */
  readonly lastPart: number | undefined;
}

/** What a live media playlist says. */
export interface MediaPlaylistSnapshot {
  readonly targetDurationSeconds: number;
  readonly mediaSequence: number;
  readonly discontinuitySequence: number;
  readonly entries: readonly PlaylistEntry[];
  /** True if nothing will be added. */
  readonly ended: boolean;
  readonly control: ServerControl;
  /** Longest part; given for low latency. */
  readonly partTargetMs?: number | undefined;
  /** How many of the first entries are left out: more than 0 makes it a delta update. */
  readonly skipped: number;
  readonly open?: OpenEntry | undefined;
  /** URI of the part that comes next. */
  readonly hintUri?: string | undefined;
  readonly reports: readonly RenditionPosition[];
}

/** What playlists without delta updates need: `EXT-X-GAP` (draft-pantos-hls-rfc8216bis, section 8). */
export const PLAYLIST_VERSION = 8;

/** `EXT-X-SKIP` needs 9; a full update has the version of a delta update. */
const LIVE_VERSION = 9;

/** Renders a live media playlist (draft-pantos-hls-rfc8216bis, section 4.4.3 to 4.4.5). */
export function renderMediaPlaylist(snapshot: MediaPlaylistSnapshot): string {
  const { control, partTargetMs, entries, skipped, open, hintUri, ended } = snapshot;
  const lines = [
    '#EXTM3U',
    `#EXT-X-VERSION:${LIVE_VERSION}`,
    `#EXT-X-TARGETDURATION:${snapshot.targetDurationSeconds}`,
    `#EXT-X-MEDIA-SEQUENCE:${snapshot.mediaSequence}`,
    `#EXT-X-DISCONTINUITY-SEQUENCE:${snapshot.discontinuitySequence}`,
    '#EXT-X-INDEPENDENT-SEGMENTS',
    serverControl(control),
  ];
  if (partTargetMs !== undefined) lines.push(`#EXT-X-PART-INF:PART-TARGET=${seconds(partTargetMs)}`);
  if (skipped > 0) lines.push(`#EXT-X-SKIP:SKIPPED-SEGMENTS=${skipped}`);
  let before: PlaylistPlace | undefined;
  for (let index = skipped; index < entries.length; index += 1) {
    const entry = entries[index];
    if (entry === undefined) break;
    pushPlace(lines, entry, before);
    if (entry.parts !== undefined) pushParts(lines, entry.parts);
    lines.push(segmentLines(entry));
    before = entry;
  }
  if (open !== undefined) {
    pushPlace(lines, open, before);
    pushParts(lines, open.parts);
  }
  if (hintUri !== undefined) lines.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${hintUri}"`);
  // Last, so that no live playlist ends with a segment: players take that one's properties for those of the next.
  for (const report of snapshot.reports) lines.push(renditionReport(report));
  if (ended) lines.push('#EXT-X-ENDLIST');
  return `${lines.join('\n')}\n`;
}

/** The first entry after the head, and after what was left out, says everything anew. */
function pushPlace(lines: string[], place: PlaylistPlace, before: PlaylistPlace | undefined): void {
  const { discontinuity, mapUri, pdtAnchor, programDateTimeMs } = place;
  if (discontinuity) lines.push('#EXT-X-DISCONTINUITY');
  if (discontinuity || mapUri !== before?.mapUri) lines.push(`#EXT-X-MAP:URI="${mapUri}"`);
  if (discontinuity || pdtAnchor || before === undefined) {
    lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(programDateTimeMs).toISOString()}`);
  }
}

function pushParts(lines: string[], parts: readonly PlaylistPart[]): void {
  for (const { uri, durationMs, independent } of parts) {
    lines.push(`#EXT-X-PART:DURATION=${seconds(durationMs)},URI="${uri}"${independent ? ',INDEPENDENT=YES' : ''}`);
  }
}

/** The lines of an entry that never change, so that a list of hours costs a join only. */
const segmentLinesOf = new WeakMap<PlaylistEntry, string>();

function segmentLines(entry: PlaylistEntry): string {
  const known = segmentLinesOf.get(entry);
  if (known !== undefined) return known;
  const { gap, durationMs, uri } = entry;
  const lines = `${gap ? '#EXT-X-GAP\n' : ''}#EXTINF:${seconds(durationMs)},\n${uri}`;
  segmentLinesOf.set(entry, lines);
  return lines;
}

function serverControl({ canBlockReload, canSkipUntilMs, partHoldBackMs, holdBackMs }: ServerControl): string {
  const attributes = [
    ...(canBlockReload ? ['CAN-BLOCK-RELOAD=YES'] : []),
    `CAN-SKIP-UNTIL=${seconds(canSkipUntilMs)}`,
    ...(partHoldBackMs === undefined ? [] : [`PART-HOLD-BACK=${seconds(partHoldBackMs)}`]),
    `HOLD-BACK=${seconds(holdBackMs)}`,
  ];
  return `#EXT-X-SERVER-CONTROL:${attributes.join(',')}`;
}

function renditionReport({ uri, lastMsn, lastPart }: RenditionPosition): string {
  const part = lastPart === undefined ? '' : `,LAST-PART=${lastPart}`;
  return `#EXT-X-RENDITION-REPORT:URI="${uri}",LAST-MSN=${lastMsn}${part}`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(5);
}
