import type { MediaSource } from './media-source.ts';

/** Everything that is known of a source. Times are ticks of 90 kHz counted from `startTicks`. Immutable. */
export interface Title {
  readonly source: MediaSource;
  /** As ffprobe calls it, e.g. `mov,mp4,m4a,3gp,3g2,mj2`. */
  readonly format: string;
  /** The source's own time at which the timeline of video, audio and subtitles begins. */
  readonly startTicks: number;
  /** From the beginning of the first segment to the end of the last. */
  readonly durationTicks: number;
  readonly video: VideoFacts | undefined;
  readonly audio: readonly AudioFacts[];
  readonly subtitles: readonly SubtitleFacts[];
  readonly plan: SegmentPlan;
}

/** Where segments begin, the same for all renditions. */
export interface SegmentPlan {
  /**
   * Segment `n` is what is shown from `boundaries[n]` until `boundaries[n + 1]`: frames whose presentation time is not
   * before the one and before the other. The first is that of the first frame, the last is the end.
   */
  readonly boundaries: readonly number[];
  /**
   * Presentation times of keyframes to seek by, ascending: of each boundary, the last keyframe that is not after it, and
   * the next one. A boundary before the first has none: its frames need what is hidden at the beginning of the source.
   * `undefined` if there is no index.
   */
  readonly keyframes: readonly number[] | undefined;
  /** True if every boundary but the end is the time of a keyframe. */
  readonly atKeyframes: boolean;
}

/** The picture of a source. */
export interface VideoFacts {
  /** Index among all streams of the file. */
  readonly streamIndex: number;
  /** As ffprobe calls it, e.g. `h264`. */
  readonly codec: string;
  /** Pixels as shown: rotated, and with square pixels. */
  readonly width: number;
  readonly height: number;
  /** Average frames per second. */
  readonly frameRate: number;
  readonly isInterlaced: boolean;
  /** True for PQ and HLG. */
  readonly isHdr: boolean;
  /** Measured or declared; bit/s. */
  readonly bitrate: number | undefined;
  /** Given if its frames may be served as they are. */
  readonly copy: CopyFacts | undefined;
  /** Why they may not; for people. */
  readonly copyObjection: string | undefined;
}

/** A picture that may be served as it is. */
export interface CopyFacts {
  /** RFC 6381, e.g. `avc1.640028`. */
  readonly codec: string;
  /** bit/s over the whole title, and in the worst segment. */
  readonly averageBandwidth: number;
  readonly bandwidth: number;
  /**
   * How long, in all that was measured, the n-th frame in decoding order is shown before the n-th frame that is shown;
   * ticks.
   */
  readonly reorderTicks: number;
}

/** One sound track of a source. */
export interface AudioFacts {
  readonly streamIndex: number;
  /** As ffprobe calls it, e.g. `aac`. */
  readonly codec: string;
  /** e.g. `LC`. */
  readonly profile: string | undefined;
  readonly channels: number;
  readonly sampleRate: number;
  /** bit/s. */
  readonly bitrate: number | undefined;
  /** BCP 47, e.g. `de`; `undefined` if the file does not tell. */
  readonly language: string | undefined;
  readonly title: string | undefined;
  readonly isDefault: boolean;
  /** When its first sound comes, ticks; may be negative. */
  readonly startTicks: number;
}

/** One subtitle track: in the source, or a file beside it. */
export interface SubtitleFacts {
  /** Index among all streams of the file; `undefined` for a file beside it. */
  readonly streamIndex: number | undefined;
  /** Absolute real path of a file beside the source. */
  readonly sidecarPath: string | undefined;
  /** As ffprobe calls it, e.g. `subrip`, `hdmv_pgs_subtitle`. */
  readonly codec: string;
  /** `picture` can only be burned into the video. */
  readonly kind: 'text' | 'picture';
  readonly language: string | undefined;
  readonly title: string | undefined;
  readonly isDefault: boolean;
  readonly isForced: boolean;
  /** True if it also tells what is to be heard. */
  readonly isForHearingImpaired: boolean;
}

/** How many segments a title has. */
export function segmentCount({ plan }: Pick<Title, 'plan'>): number {
  return plan.boundaries.length - 1;
}
