/** The keyframe that begins a segment of a broadcast, with what it takes to decode it. */
export interface Keyframe {
  /** Media sequence number of its segment. */
  readonly msn: number;
  /** Wall clock of its segment's start, ms since the Unix epoch. */
  readonly programDateTimeMs: number;
  /** Length of its segment. */
  readonly durationMs: number;
  /** The CMAF header that it needs. */
  readonly init: Buffer;
  /** Its `moof` + `mdat`; `undefined` if they are gone by now. */
  read(): Promise<Buffer | undefined>;
}

/** The keyframes of a broadcast's smallest picture over its whole time-shift window, oldest first; none if it is not live. */
export type KeyframeSource = (broadcast: string) => readonly Keyframe[];
