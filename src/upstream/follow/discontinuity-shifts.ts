const MAX_KEPT = 64;

interface Shift {
  /** How often another address had been taken. */
  readonly turn: number;
  readonly shift: number;
}

/** Where a rendition stands among the breaks of its upstream. */
export interface ShiftPosition {
  readonly index: number;
  /** To be added to upstream's discontinuity sequence numbers. */
  readonly shift: number;
}

/**
 * Keeps the discontinuity sequence numbers of all renditions of an upstream in step (RFC 8216, 6.2.4: players match
 * renditions by them) although each one notices breaks that upstream does not tell for itself.
 */
export class DiscontinuityShifts {
  #shifts: Shift[] = [];
  /** How many have been forgotten. */
  #forgotten = 0;
  #largest = 0;
  #isUsed = false;

  /** Where a rendition begins that has not been followed yet; see `next()`. */
  begin({ turn, first }: { turn: number; first: number }): ShiftPosition {
    const last = this.#shifts.at(-1);
    if (this.#isUsed && (last?.turn ?? 0) !== turn) this.#add({ turn, shift: this.#largest + 1 - first });
    return { index: this.#forgotten + this.#shifts.length - 1, shift: this.#shifts.at(-1)?.shift ?? 0 };
  }

  /**
   * Where a rendition goes on behind a break: where another one did before it at the same address, else behind
   * everything there was.
   * @param turn how often another address had been taken
   * @param first upstream's discontinuity sequence number of the first segment behind it
   * @param last our number of the last segment before it
   */
  next(from: ShiftPosition, { turn, first, last }: { turn: number; first: number; last: number }): ShiftPosition {
    const known = this.#shifts.findIndex((shift, at) => at + this.#forgotten > from.index && shift.turn === turn);
    if (known < 0) this.#add({ turn, shift: Math.max(this.#largest, last) + 1 - first });
    const at = known < 0 ? this.#shifts.length - 1 : known;
    return { index: this.#forgotten + at, shift: Math.max(this.#shifts[at]?.shift ?? 0, last + 1 - first) };
  }

  /** Notes that one of our discontinuity sequence numbers is in use. */
  use(discontinuitySequence: number): void {
    this.#isUsed = true;
    this.#largest = Math.max(this.#largest, discontinuitySequence);
  }

  #add(shift: Shift): void {
    this.#shifts.push(shift);
    if (this.#shifts.length <= MAX_KEPT) return;
    this.#shifts.shift();
    this.#forgotten += 1;
  }
}
