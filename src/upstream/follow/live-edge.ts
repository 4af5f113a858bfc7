import { EDGE_SEGMENTS } from './alignment.ts';
import type { PlaylistSnapshot } from './playlist-snapshot.ts';

/**
 * Where to begin with a playlist, as an index among its segments: what it asks for (EXT-X-START, RFC 8216 4.3.5.2; else
 * HOLD-BACK, RFC 8216bis 4.4.3.8), else 3 segments before the end; a recording at its first one.
 */
export function liveEdge({ segments, isRecorded, playlist }: PlaylistSnapshot): number {
  const { start, serverControl } = playlist;
  if (start !== undefined && start.offsetMs >= 0) return indexAfter(segments, start.offsetMs);
  const backMs = start === undefined ? serverControl?.holdBackMs : -start.offsetMs;
  if (isRecorded) return start === undefined ? 0 : indexBefore(segments, -start.offsetMs);
  return backMs === undefined ? Math.max(0, segments.length - EDGE_SEGMENTS) : indexBefore(segments, backMs);
}

type Segments = PlaylistSnapshot['segments'];

/** The segment that plays so long after the beginning; the last one at most. */
function indexAfter(segments: Segments, ms: number): number {
  let endMs = 0;
  const index = segments.findIndex(({ segment }) => (endMs += segment.durationMs) > ms);
  return index < 0 ? Math.max(0, segments.length - 1) : index;
}

/** Index of the segment that begins at least so many ms before the end; of the first one at most. */
export function indexBefore(segments: Segments, ms: number): number {
  let lengthMs = 0;
  const index = segments.findLastIndex(({ segment }) => (lengthMs += segment.durationMs) >= ms);
  return Math.max(0, index);
}
