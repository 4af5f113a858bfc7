import type { Fragment, TrackInit } from './fragment.ts';

/** A frame to be written. Times in the track's timescale. */
export interface CodedFrame {
  readonly dts: number;
  readonly pts: number;
  readonly duration: number;
  readonly sync: boolean;
  readonly data: Buffer;
}

/** What a fragment is made of: at least one frame, in decode order, contiguous (the last one's duration ends the fragment). */
export interface FragmentParts {
  readonly init: TrackInit;
  readonly epoch: number;
  readonly frames: readonly CodedFrame[];
  readonly ingestedAtMs: number;
}

/** Writes one `moof` + `mdat` with 64-bit `tfdt` and signed composition offsets (ISO/IEC 14496-12, 8.8). */
export function writeFragment(parts: FragmentParts): Fragment {
  throw new Error(`not written yet: ${parts.epoch}`);
}
