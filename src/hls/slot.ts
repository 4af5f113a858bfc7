/** One row of a broadcast's segment table: segment number `msn` of every rendition. Times in ladder ticks (90 kHz) of its epoch. */
export interface Slot {
  readonly msn: number;
  readonly epoch: number;
  readonly startPts: number;
  /** Where the next slot starts, or the epoch's media ends; `undefined` while the slot is the newest one. */
  readonly endPts: number | undefined;
  /** Wall clock at which `endPts` became known, ms. */
  readonly closedAtMs: number | undefined;
  /** True if it starts a new epoch: its media does not follow on that of the slot before. */
  readonly discontinuity: boolean;
  /** Discontinuities from the broadcast's first slot up to this one, this one's included. */
  readonly discontinuitySequence: number;
  /** Wall clock of its first picture, ms since the Unix epoch. */
  readonly programDateTimeMs: number;
  /** True if `programDateTimeMs` is not simply the end of the slot before, so that playlists must tell it. */
  readonly pdtAnchor: boolean;
}
