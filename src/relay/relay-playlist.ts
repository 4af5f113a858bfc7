import type { PlaylistSnapshot } from '../upstream/follow/playlist-snapshot.ts';
import type { StartPoint } from '../upstream/playlist/low-latency.ts';
import { type RelayAddresses, SegmentLines } from './segment-lines.ts';
import { seconds } from './tag-text.ts';

/** How far another playlist of the same source is. */
export interface RenditionPosition {
  /** Relative to the playlist. */
  readonly uri: string;
  readonly lastMsn: number;
  /** Part of segment `lastMsn`. */
  readonly lastPart: number;
}

/** Fractions of a second in EXTINF, and IV in EXT-X-KEY, need it (RFC 8216, section 7). */
const MIN_VERSION = 3;

/** Parts are listed while their segment ends within so many target durations of the end. */
const PART_LIST_DURATIONS = 3;

/** Players stay so many target durations, or parts, behind the end (draft-pantos-hls-rfc8216bis, section 4.4.3.8). */
const HOLD_BACK_TIMES = 3;

/**
 * Renders a media playlist of a source: what upstream says, under the numbers and addresses of this server. Nothing of
 * upstream's addresses is in it.
 */
export function renderRelayPlaylist(
  snapshot: PlaylistSnapshot,
  addresses: RelayAddresses,
  reports: readonly RenditionPosition[] = [],
): string {
  const { segments, trailing, lowLatency, ended } = snapshot;
  const writer = new SegmentLines(addresses);
  const withParts = firstWithParts(snapshot);
  for (const [index, segment] of segments.entries()) writer.segment(segment, index >= withParts);
  const tail: string[] = [];
  if (ended) tail.push('#EXT-X-ENDLIST');
  else if (lowLatency !== undefined) {
    const { trailingParts, preloadHint } = lowLatency;
    writer.trailing(trailing, trailingParts);
    if (preloadHint !== undefined) tail.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${addresses.uriOf(preloadHint)}"`);
    tail.push(...reports.map(reportLine));
  }
  return `${[...headLines(snapshot), ...writer.lines, ...tail].join('\n')}\n`;
}

/** How long the longest part of a low-latency playlist is, ms; 0 without any. */
export function partTargetMsOf({ segments, lowLatency }: PlaylistSnapshot): number {
  if (lowLatency === undefined) return 0;
  const parts = [...segments.flatMap((segment) => segment.parts), ...lowLatency.trailingParts];
  return parts.reduce((longest, { part }) => Math.max(longest, part.durationMs), lowLatency.partTargetMs);
}

/** The target duration, in whole seconds: no segment is longer, rounded (RFC 8216, section 4.3.3.1). */
export function targetSecondsOf({ segments, targetDurationMs }: PlaylistSnapshot): number {
  const longestMs = segments.reduce((most, { segment }) => Math.max(most, segment.durationMs), 0);
  return Math.max(Math.ceil(targetDurationMs / 1_000), Math.round(longestMs / 1_000));
}

/** Parts are listed near the end only (draft-pantos-hls-rfc8216bis, section 4.4.4.9): index of the first segment with them. */
function firstWithParts({ segments, lowLatency, targetDurationMs, ended }: PlaylistSnapshot): number {
  if (ended) return segments.length;
  let afterMs = lowLatency?.trailingParts.reduce((sum, { part }) => sum + part.durationMs, 0) ?? 0;
  return (
    segments.findLastIndex(({ segment }) => {
      const isFar = afterMs > PART_LIST_DURATIONS * targetDurationMs;
      afterMs += segment.durationMs;
      return isFar;
    }) + 1
  );
}

function headLines(snapshot: PlaylistSnapshot): string[] {
  const { playlist, segments, firstNumber, lowLatency, ended } = snapshot;
  const [first] = segments;
  const lines = [
    '#EXTM3U',
    `#EXT-X-VERSION:${Math.max(MIN_VERSION, playlist.version)}`,
    `#EXT-X-TARGETDURATION:${targetSecondsOf(snapshot)}`,
    `#EXT-X-MEDIA-SEQUENCE:${firstNumber}`,
    // The first segment keeps its EXT-X-DISCONTINUITY, which counts for itself.
    `#EXT-X-DISCONTINUITY-SEQUENCE:${(first?.discontinuitySequence ?? snapshot.discontinuitySequence) - Number(first?.discontinuity ?? false)}`,
  ];
  // What comes of another address, or was there before it, is in no list that only grows.
  if (playlist.type !== undefined && segments.length === playlist.segments.length) {
    lines.push(`#EXT-X-PLAYLIST-TYPE:${playlist.type.toUpperCase()}`);
  }
  if (playlist.independentSegments) lines.push('#EXT-X-INDEPENDENT-SEGMENTS');
  if (playlist.iFramesOnly) lines.push('#EXT-X-I-FRAMES-ONLY');
  if (playlist.start !== undefined) lines.push(startLine(playlist.start));
  if (!ended) lines.push(...controlLines(snapshot));
  if (!ended && lowLatency !== undefined) {
    lines.push(`#EXT-X-PART-INF:PART-TARGET=${seconds(partTargetMsOf(snapshot))}`);
  }
  return lines;
}

/** EXT-X-START (RFC 8216, section 4.3.5.2). */
export function startLine({ offsetMs, isPrecise }: StartPoint): string {
  return `#EXT-X-START:TIME-OFFSET=${seconds(offsetMs)}${isPrecise ? ',PRECISE=YES' : ''}`;
}

/**
 * What this server does for those who reload. It answers blocking reloads itself, and offers them only where there are parts:
 * whole segments are longer than players wait.
 */
function controlLines(snapshot: PlaylistSnapshot): string[] {
  const { playlist, lowLatency } = snapshot;
  const { holdBackMs, partHoldBackMs = 0 } = playlist.serverControl ?? {};
  const attributes: string[] = [];
  if (lowLatency !== undefined) {
    const leastMs = HOLD_BACK_TIMES * partTargetMsOf(snapshot);
    attributes.push('CAN-BLOCK-RELOAD=YES', `PART-HOLD-BACK=${seconds(Math.max(partHoldBackMs, leastMs))}`);
  }
  if (holdBackMs !== undefined) {
    const leastMs = HOLD_BACK_TIMES * 1_000 * targetSecondsOf(snapshot);
    attributes.push(`HOLD-BACK=${seconds(Math.max(holdBackMs, leastMs))}`);
  }
  return attributes.length === 0 ? [] : [`#EXT-X-SERVER-CONTROL:${attributes.join(',')}`];
}

function reportLine({ uri, lastMsn, lastPart }: RenditionPosition): string {
  return `#EXT-X-RENDITION-REPORT:URI="${uri}",LAST-MSN=${lastMsn},LAST-PART=${lastPart}`;
}
