import type { TrackKind } from '../media/fragment.ts';

/** `starting`: no complete segment yet; `withheld`: not offered to players, see `reason`. */
export type RenditionState = 'starting' | 'playable' | 'withheld';

/** Facts about one packaged track. */
export interface TrackReport {
  readonly kind: TrackKind;
  /** RFC 6381; `undefined` until the first segment has begun, as are the other facts of the media. */
  readonly codec: string | undefined;
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly frameRate: number | undefined;
  /** Measured on the real segments. */
  readonly peakKbps: number;
  readonly averageKbps: number;
  /** Segments in the playlist, gaps included. */
  readonly segments: number;
  /** What the track holds in memory. */
  readonly bytes: number;
  /** Segments that the track missed so far. */
  readonly gaps: number;
  /** Fragments that no segment could take so far. */
  readonly droppedFragments: number;
}

/** Facts about one rendition as it is served. */
export interface RenditionReport {
  readonly name: string;
  readonly state: RenditionState;
  readonly reason: string | undefined;
  /** Video first. */
  readonly tracks: readonly TrackReport[];
}

/** Facts about one broadcast as it is served. */
export interface BroadcastReport {
  readonly broadcast: string;
  readonly state: 'live' | 'ended';
  /** Number of the newest segment of the shared table; `undefined` before the first. */
  readonly newestMsn: number | undefined;
  /** Distance of the publisher's keyframes in ms, once known. */
  readonly sourceGopMs: number | undefined;
  /** What the publisher or the admin should change. */
  readonly warnings: readonly string[];
  readonly viewers: number;
  readonly renditions: readonly RenditionReport[];
}
