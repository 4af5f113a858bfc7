import type { PlaylistPosition } from './playback.ts';

/** How far a media playlist is. */
export interface PlaylistEdge {
  /** Newest complete segment. */
  readonly msn: number;
  /** How many parts it has; a gap counts as having all that anybody may wait for. */
  readonly parts: number;
  /** How many parts of the segment after it are published. */
  readonly openParts: number;
}

/** `reached`: the playlist has it; `ahead`: it will come; `too-far`: nobody who has read the playlist asks for it. */
export type Reached = 'reached' | 'ahead' | 'too-far';

/** Compares what a blocking request wants with what there is (draft-pantos-hls-rfc8216bis, section 6.2.5.2). */
export function compareToEdge({ msn, part }: PlaylistPosition, edge: PlaylistEdge, partTargetMs: number): Reached {
  const openMsn = edge.msn + 1;
  if (msn < edge.msn) return 'reached';
  const newest = edge.openParts > 0 ? openMsn : edge.msn;
  if (msn > newest + 2) return 'too-far';
  if (part === undefined) return msn === edge.msn ? 'reached' : 'ahead';
  const known = msn === edge.msn ? edge.parts : msn === openMsn ? edge.openParts : 0;
  if (part < known) return 'reached';
  if (part >= known + advancePartLimit(partTargetMs)) return 'too-far';
  // A part beyond the last one of a complete segment is the first one of the next.
  return msn === edge.msn && edge.openParts > 0 ? 'reached' : 'ahead';
}

function advancePartLimit(partTargetMs: number): number {
  return partTargetMs < 1_000 ? Math.ceil(3_000 / partTargetMs) : 3;
}
