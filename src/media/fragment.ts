/** What a track carries. A broadcast has at most one source track of each kind. */
export type TrackKind = 'video' | 'audio';

/** Ticks per second of the clock that the whole ladder shares; video tracks use it as their timescale. */
export const LADDER_TIMESCALE = 90_000;

/** The decoder set-up of one track; every fragment carries the one that it needs. Immutable. */
export interface TrackInit {
  readonly kind: TrackKind;
  /** RFC 6381 codec string, e.g. `avc1.64001f`, `mp4a.40.2`, `opus`. */
  readonly codec: string;
  /** Ticks per second of all times of this track. */
  readonly timescale: number;
  /** The CMAF header: `ftyp` + `moov` with exactly one track. */
  readonly bytes: Buffer;
  /** Pixels; video only. */
  readonly width?: number;
  readonly height?: number;
  /** Frames per second where the publisher declares it (SPS, metadata); video only. */
  readonly frameRate?: number;
  /** Hz and count; audio only. */
  readonly sampleRate?: number;
  readonly channels?: number;
}

/** One coded frame inside a fragment. Times in the track's timescale. */
export interface Sample {
  readonly duration: number;
  readonly size: number;
  /** True if decoding may start here (IDR, every audio frame). */
  readonly sync: boolean;
  /** Presentation time minus decode time; may be negative. */
  readonly compositionOffset: number;
}

/** One `moof` + `mdat` of a track: the currency of the whole program. Immutable; one or two frames each. */
export interface Fragment {
  readonly init: TrackInit;
  /** Counts the breaks of the broadcast's timeline; within an epoch init and time base stay and time goes forwards. */
  readonly epoch: number;
  /** Decode time of the first sample, in ticks of `init.timescale`. */
  readonly baseDecodeTime: number;
  /** Presentation time of the first sample in decode order (the keyframe's own, if there is one). */
  readonly firstPts: number;
  /** Largest presentation end time of all samples. */
  readonly endPts: number;
  /** Sum of the sample durations. */
  readonly duration: number;
  /** True if the first sample is a sync sample of a video track; audio fragments are always `true`. */
  readonly keyframe: boolean;
  /** Wall clock at which the source frame was ingested, ms since the Unix epoch; outputs inherit nothing and stamp their own. */
  readonly ingestedAtMs: number;
  readonly samples: readonly Sample[];
  /** The samples' bytes, without box headers; a view into `bytes`. */
  readonly payload: Buffer;
  /** The whole `moof` + `mdat`. */
  readonly bytes: Buffer;
}

/** True if both inits set a decoder up in the very same way. */
export function sameInit(a: TrackInit, b: TrackInit): boolean {
  return a === b || (a.timescale === b.timescale && a.bytes.equals(b.bytes));
}

/** Converts ticks of a track into ticks of the ladder's clock. */
export function toLadderTicks(ticks: number, timescale: number): number {
  return timescale === LADDER_TIMESCALE ? ticks : Math.round((ticks * LADDER_TIMESCALE) / timescale);
}

/** Media time that a fragment covers, in ms. */
export function durationMs({ duration, init }: Fragment): number {
  return (duration * 1000) / init.timescale;
}
