import { MIN_PART_SHARE, type Part } from './part-builder.ts';

/** Time stamps in whole milliseconds add up to a little more than the nominal part. */
const ROUNDING_MS = 2;

/** The longest part of a track: `EXT-X-PART-INF:PART-TARGET`, fixed as soon as the track's first segment is complete. */
export class PartTarget {
  #ms: number;
  #isFixed = false;

  /** @param wantedMs what the configuration asks for */
  constructor(wantedMs: number) {
    this.#ms = wantedMs + ROUNDING_MS;
  }

  /** Whole milliseconds; no part should be longer. */
  get ms(): number {
    return this.#ms;
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
