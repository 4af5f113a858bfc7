import type { Segment } from './segment.ts';

/** A playlist that lists less is of no use to a player, however large its segments are. */
const MIN_LISTED = 3;

/** Limits of a window. */
interface WindowLimits {
  /** Segments that the playlist lists; as many more stay fetchable. */
  readonly listed: number;
  readonly maxBytes: number;
}

/** The newest segments of one track, without holes in their numbers. */
export class SegmentWindow {
  readonly #limits: WindowLimits;
  #segments: Segment[] = [];
  #bytes = 0;
  /** Index of the first segment that the playlist may list. */
  #listFrom = 0;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  /** Bytes of all segments that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Everything that is kept, oldest first. */
  get kept(): readonly Segment[] {
    return this.#segments;
  }

  /** What the playlist lists, oldest first. */
  get listed(): readonly Segment[] {
    return this.#segments.slice(Math.max(this.#listFrom, this.#segments.length - this.#limits.listed));
  }

  add(segment: Segment): void {
    this.#segments.push(segment);
    this.#bytes += sizeOf(segment);
    const isTooLarge = (): boolean => this.#bytes > this.#limits.maxBytes && this.#segments.length > MIN_LISTED;
    while (this.#segments.length > 2 * this.#limits.listed || isTooLarge()) this.#forgetOldest();
  }

  /** Unlists everything up to the newest gap; what follows it stays. */
  unlistThroughGaps(): void {
    this.#listFrom = this.#segments.findLastIndex(({ gap }) => gap) + 1;
  }

  /** Forgets everything. */
  clear(): void {
    this.#segments = [];
    this.#bytes = 0;
    this.#listFrom = 0;
  }

  /** The kept segment of a number. */
  find(msn: number): Segment | undefined {
    const first = this.#segments[0];
    return first === undefined ? undefined : this.#segments[msn - first.slot.msn];
  }

  #forgetOldest(): void {
    const oldest = this.#segments.shift();
    if (oldest !== undefined) this.#bytes -= sizeOf(oldest);
    this.#listFrom = Math.max(0, this.#listFrom - 1);
  }
}

function sizeOf({ media }: Segment): number {
  return media?.bytes.length ?? 0;
}
