import type { RenditionSpec } from '../ladder/rendition.ts';
import type { VideoEncoder } from '../transcode/ffmpeg/video-encoders.ts';

/** What a viewer can choose: one quality of the picture, or one sound. Rates are bit/s. Immutable. */
export type VodRendition = VodVideo | VodAudio;

/** One quality of the picture. */
export interface VodVideo {
  readonly kind: 'video';
  /** Unique among the title's renditions; part of URLs. */
  readonly name: string;
  /** `copy`: the source's own frames. */
  readonly mode: 'copy' | 'encode';
  /** RFC 6381, the one that its init will have. */
  readonly codec: string;
  readonly averageBandwidth: number;
  readonly bandwidth: number;
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
  /** Given for `encode`. */
  readonly spec: RenditionSpec | undefined;
  readonly encoder: VideoEncoder | undefined;
  /** Index in `Title.subtitles` of the pictures that are burned in. */
  readonly burn: number | undefined;
}

/** One sound. */
export interface VodAudio {
  readonly kind: 'audio';
  readonly name: string;
  readonly mode: 'copy' | 'encode';
  readonly codec: string;
  readonly averageBandwidth: number;
  readonly bandwidth: number;
  /** Index in `Title.audio`. */
  readonly trackIndex: number;
  readonly channels: number;
  readonly sampleRate: number;
  /** BCP 47. */
  readonly language: string | undefined;
  /** For people. */
  readonly title: string;
  readonly isDefault: boolean;
}
