/** `starting`: no complete segment yet; `withheld`: not offered to players, see `reason`. */
export type RenditionState = 'starting' | 'playable' | 'withheld';

/** Facts about one rendition as it is served. */
export interface RenditionReport {
  readonly name: string;
  readonly state: RenditionState;
  readonly reason?: string;
  /** RFC 6381, video first. */
  readonly codecs: string[];
  readonly width?: number;
  readonly height?: number;
  readonly frameRate?: number;
  /** Measured on the real segments, all tracks together. */
  readonly peakKbps: number;
  readonly averageKbps: number;
  /** Segments in the playlist, gaps included. */
  readonly segments: number;
  /** Segments that the rendition missed so far. */
  readonly gaps: number;
  /** Fragments that no segment could take so far. */
  readonly droppedFragments: number;
  /** What the rendition holds in memory. */
  readonly bytes: number;
}

/** Facts about one broadcast as it is served. */
export interface BroadcastReport {
  readonly broadcast: string;
  readonly state: 'live' | 'ended';
  /** The recording that stays of it; given once it ended and the recording is complete. */
  readonly archive?: string;
  /** Number of the newest segment of the shared table; `undefined` before the first. */
  readonly newestMsn: number | undefined;
  /** Distance of the publisher's keyframes in ms, once known. */
  readonly sourceGopMs: number | undefined;
  /** What the publisher or the admin should change. */
  readonly warnings: readonly string[];
  readonly viewers: number;
  /** True while the publisher is silent for so long that requests may not wait for it. */
  readonly away: boolean;
  /** Playback requests that wait for media at this moment. */
  readonly waitingRequests: number;
  readonly renditions: readonly RenditionReport[];
}
