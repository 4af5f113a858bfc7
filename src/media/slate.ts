import type { Fragment, TrackInit } from './fragment.ts';

/** Coded frames of one track that can be repeated for ever; the first one is a keyframe. */
export interface FrameLoop {
  readonly init: TrackInit;
  readonly frames: readonly LoopFrame[];
}

/** One frame of a loop; frames follow each other without a gap, in decode and in presentation order alike. */
export interface LoopFrame {
  /** Ticks of the init's timescale; positive. */
  readonly duration: number;
  /** True if decoding may start here; always true for audio. */
  readonly sync: boolean;
  readonly data: Buffer;
}

/** What is to stand in for a source that fell silent. */
export interface SlateOrder {
  /** The source's picture, if it has one. */
  readonly video: SlatePicture | undefined;
  /** The source's sound, if it has any: its silence gets the same sample rate and channels. */
  readonly audio: TrackInit | undefined;
  /** Absolute path of the image to show; `undefined` shows the source's newest keyframe. */
  readonly image: string | undefined;
}

/** The picture that a slate has to go on from. */
export interface SlatePicture {
  readonly init: TrackInit;
  /** Newest fragment that starts with a keyframe, if one is known. */
  readonly keyframe: Fragment | undefined;
  /** Frames per second. */
  readonly frameRate: number;
}
