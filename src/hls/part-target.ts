import { MIN_PART_SHARE, type Part } from './part-builder.ts';

/** Time stamps in whole milliseconds add up to a little more than the nominal part. */
const ROUNDING_MS = 2;

/** Parts of whole audio frames may be longer than wanted by this factor. */
const MAX_ROUNDING_UP = 1.1;

/** The longest part of a track: `EXT-X-PART-INF:PART-TARGET`, fixed as soon as the track's first segment is complete. */
export class PartTarget {
  readonly #wantedMs: number;
  #ms: number;
  #isFixed = false;

  /** @param wantedMs what the configuration asks for */
  constructor(wantedMs: number) {
    this.#wantedMs = wantedMs;
    this.#ms = wantedMs + ROUNDING_MS;
  }

  /** Whole milliseconds; no part should be longer. */
  get ms(): number {
    return this.#ms;
  }

  /**
   * Learns how long a coded audio frame is: parts are rounded up to whole ones, so that no sliver is left at the end of
   * each segment. Does nothing when the target is fixed already.
   */
  fitFrames(frameMs: number): void {
    if (this.#isFixed || frameMs <= 0) return;
    const wholeMs = Math.ceil(this.#wantedMs / frameMs - 1e-6) * frameMs;
    if (wholeMs <= this.#wantedMs * MAX_ROUNDING_UP) this.#ms = Math.ceil(wholeMs - 1e-6);
  }

  /** Learns from the track's first segment what its frames allow. Does nothing when it is fixed already. */
  fix(parts: readonly Part[]): void {
    if (this.#isFixed) return;
    this.#isFixed = true;
    const longestMs = Math.max(0, ...parts.map(({ durationMs }) => durationMs));
    const hasFullPart = parts.length > 1;
    const isTooLong = longestMs > this.#ms;
    const isTooShort = hasFullPart && longestMs < MIN_PART_SHARE * this.#ms;
    if (isTooLong || isTooShort) this.#ms = Math.ceil(longestMs + ROUNDING_MS);
  }
}
