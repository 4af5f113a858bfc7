import type { TrackKind } from '../../media/fragment.ts';
import type { Closable } from '../../util/closer.ts';
import type { DemuxedFrame } from '../fmp4-demuxer.ts';

/** Between two beginnings of legs, ms: each restarts every encoder of the broadcast. */
export const MIN_LEG_MS = 1_000;

/** What is known of a segment before its bytes. */
export interface SegmentStart {
  /** True if it does not go on from the one before. */
  readonly breaks: boolean;
  /** The initialization section, for fragmented MP4. */
  readonly init: Buffer | undefined;
  readonly durationMs: number;
}

/** Where a demuxer's frames go. */
export interface FrameOutlet {
  /** Tracks that are wanted; others are left out. */
  readonly kinds: readonly TrackKind[];
  /** What comes next does not go on from what came: a new leg with these tracks begins. Resolves when it may. */
  readonly begin: (kinds: readonly TrackKind[]) => Promise<void>;
  /** Takes frames with the source's own times, each track's in decode order. Must not throw. */
  readonly push: (frames: readonly DemuxedFrame[]) => void;
}

/** Takes the segments of one playlist apart, one after the other, in one container. */
export interface SegmentDemuxer extends Closable {
  /** The next segment begins. */
  beginSegment(start: SegmentStart): void;
  /**
   * Takes its next bytes, cut anywhere; resolves when it takes more.
   * @throws AppError `BAD_MEDIA` if it cannot be used; what is left of the segment is to be left out
   */
  push(piece: Buffer): Promise<void>;
  /**
   * The segment ends, or what is left of it is lost.
   * @throws AppError `BAD_MEDIA` if it could not be used
   */
  endSegment(): Promise<void>;
  /** Nothing comes any more: hands on what is held. */
  end(): Promise<void>;
}
