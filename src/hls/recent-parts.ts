import type { Part } from './part-builder.ts';

/** A part that players may have been told of. */
export interface PublishedPart extends Part {
  /** Counts through all segments of the track. */
  readonly number: number;
}

/** The parts of one segment. */
interface PartRow {
  readonly msn: number;
  parts: readonly PublishedPart[];
  bytes: number;
}

/** How much is kept, beyond the segment that is being filled. */
interface PartLimits {
  readonly maxMs: number;
  readonly maxBytes: number;
}

/** The newest parts of a track, by segment. */
export class RecentParts {
  readonly #limits: PartLimits;
  #rows: PartRow[] = [];
  #next = 0;
  #skippedTo: number | undefined;

  constructor(limits: PartLimits) {
    this.#limits = limits;
  }

  /** Number of the part that comes next, whichever segment it will belong to. */
  get next(): number {
    return this.#next;
  }

  /** Publishes a part of the newest or a new segment. */
  add(msn: number, part: Part): void {
    const newest = this.#rows.at(-1);
    const row = newest?.msn === msn ? newest : { msn, parts: [], bytes: 0 };
    if (row !== newest) this.#rows.push(row);
    row.parts = [...row.parts, { ...part, number: this.#next }];
    row.bytes += part.bytes.length;
    this.#next += 1;
    this.#prune();
  }

  /** True if the next part goes on from the one before it, with the same init. */
  get goesOn(): boolean {
    return this.#next !== this.#skippedTo;
  }

  /** Leaves a number out, since another init begins: there will be no part of the name that comes next. */
  skip(): void {
    this.#next += 1;
    this.#skippedTo = this.#next;
  }

  /** Takes the same parts of a complete segment as views into its one piece of memory. */
  repoint(msn: number, parts: readonly Part[]): void {
    const row = this.#rows.find((candidate) => candidate.msn === msn);
    if (row === undefined) return;
    row.parts = row.parts.map((part, index) => ({ ...part, bytes: parts[index]?.bytes ?? part.bytes }));
  }

  /** The parts of a segment, while they are all kept. */
  of(msn: number): readonly PublishedPart[] {
    return this.#rows.find((row) => row.msn === msn)?.parts ?? [];
  }

  /** The part of a number, while it is kept. */
  find(number: number): PublishedPart | undefined {
    const row = this.#rows.findLast(({ parts }) => (parts[0]?.number ?? Infinity) <= number);
    return row?.parts[number - (row.parts[0]?.number ?? 0)];
  }

  #prune(): void {
    let [ms, bytes] = [0, 0];
    const firstKept = this.#rows.findLastIndex((row, index) => {
      const isTooMuch = ms > this.#limits.maxMs || bytes > this.#limits.maxBytes;
      ms += row.parts.reduce((sum, { durationMs }) => sum + durationMs, 0);
      bytes += row.bytes;
      return isTooMuch && index < this.#rows.length - 1;
    });
    if (firstKept >= 0) this.#rows = this.#rows.slice(firstKept + 1);
  }
}
