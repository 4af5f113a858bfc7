import type { RenditionReport, ServerControl } from '../playlist/low-latency.ts';
import type { MediaPlaylist } from '../playlist/media-playlist.ts';
import type { Part, Segment, SegmentHead } from '../playlist/segment.ts';
import type { MediaItem } from '../pool/media-item.ts';

/** A partial segment that can be asked for. */
export interface FollowedPart {
  readonly item: MediaItem;
  readonly part: Part;
}

/** A segment under our own number. */
export interface FollowedSegment {
  /** One more than that of the segment before it, always. */
  readonly number: number;
  /**
   * Which stretch of the timeline it belongs to: another one after each break, and after each change of the
   * initialization section. Grows, also over restarts of this program; era and number together name the bytes.
   */
  readonly era: number;
  /** Whether the timeline breaks before it: because upstream says so, or something is missing, or it is another address. */
  readonly discontinuity: boolean;
  /** How many breaks there have been up to it. May grow by more than one at a break, rarely. */
  readonly discontinuitySequence: number;
  readonly item: MediaItem;
  /** What is needed before its bytes; the same item for a whole era. */
  readonly init: MediaItem | undefined;
  /** As upstream listed it last: `sequence` is upstream's own number. */
  readonly segment: Segment;
  readonly parts: readonly FollowedPart[];
}

/** What is only known of a playlist with partial segments (RFC 8216bis, 4.4.3.7). */
export interface LowLatency {
  readonly serverControl: ServerControl;
  readonly partTargetMs: number;
  /** Of the segment after the last one. */
  readonly trailingParts: readonly FollowedPart[];
  /** Item of the part that comes next; it keeps its id when it is listed. `undefined` if upstream does not tell. */
  readonly preloadHint: MediaItem | undefined;
  readonly renditionReports: readonly RenditionReport[];
}

/** The segment that is being made: number, era and so on of the trailing parts. */
export interface TrailingSegment {
  readonly number: number;
  readonly era: number;
  readonly discontinuity: boolean;
  readonly discontinuitySequence: number;
  readonly init: MediaItem | undefined;
  readonly head: SegmentHead;
}

/** What is known of a followed playlist at a time. Immutable. */
export interface PlaylistSnapshot {
  /** Grows by one with each snapshot. */
  readonly version: number;
  readonly targetDurationMs: number;
  /** Nothing will be added any more. */
  readonly ended: boolean;
  /** The playlist had its end when it was first loaded: it is a recording. */
  readonly isRecorded: boolean;
  /** Number of the first segment; of the next one to come if there is none. */
  readonly firstNumber: number;
  /** Breaks before the first segment, and at it if it begins with one. */
  readonly discontinuitySequence: number;
  /** What upstream lists, and after a break some segments from before it. */
  readonly segments: readonly FollowedSegment[];
  readonly trailing: TrailingSegment;
  readonly lowLatency: LowLatency | undefined;
  /** As upstream gave it last. */
  readonly playlist: MediaPlaylist;
}
