import type { DiskBudget } from './disk-budget.ts';

/** Something that takes room; the budgets that it counts in tell it what becomes of it. */
export interface Budgeted {
  readonly bytes: number;
  /** It will go soon: nothing new should refer to it. Called at most once by each budget. */
  retire(): void;
  /** It has to go now. Called at most once by each budget; the budget has forgotten it already. */
  evict(): void;
}

/** Share of a budget that is for what is still listed; the rest is for what a client may still hold a playlist of. */
const FRESH_SHARE = 0.75;

/**
 * A limit in bytes: the oldest items are retired when the limit comes near and evicted when it is reached. What it holds
 * can count in a shared budget as well; if that is used up, and nobody else gives something up, the oldest go, too.
 */
export class ByteBudget {
  readonly maxBytes: number;
  readonly #shared: DiskBudget | undefined;
  readonly #fresh = new Set<Budgeted>();
  readonly #retired = new Set<Budgeted>();
  #freshBytes = 0;
  #retiredBytes = 0;
  #evicted = 0;

  constructor(maxBytes: number, shared?: DiskBudget) {
    this.maxBytes = maxBytes;
    this.#shared = shared;
  }

  /** Bytes of all items in it. */
  get bytes(): number {
    return this.#freshBytes + this.#retiredBytes;
  }

  /** Items that had to go so far. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Takes an item in, as its newest one; it may be evicted at once if it is larger than the budget. */
  add(item: Budgeted): void {
    this.#fresh.add(item);
    this.#freshBytes += item.bytes;
    this.#shared?.take(item.bytes);
    for (const oldest of this.#fresh) {
      if (this.#freshBytes <= FRESH_SHARE * this.maxBytes) break;
      this.#retire(oldest);
    }
    for (const oldest of this.#retired) {
      if (this.bytes <= this.maxBytes) break;
      this.#evict(oldest);
    }
    this.#makeRoom();
  }

  /** Forgets an item; does nothing if it is not there. */
  remove(item: Budgeted): void {
    if (this.#fresh.delete(item)) this.#freshBytes -= item.bytes;
    else if (this.#retired.delete(item)) this.#retiredBytes -= item.bytes;
    else return;
    this.#shared?.giveBack(item.bytes);
  }

  #makeRoom(): void {
    if (this.#shared?.makeRoom() !== false) return;
    for (const oldest of [...this.#retired, ...this.#fresh]) {
      if (this.#fresh.has(oldest)) this.#retire(oldest);
      this.#evict(oldest);
      if (this.#shared.makeRoom()) return;
    }
  }

  #retire(item: Budgeted): void {
    this.#fresh.delete(item);
    this.#freshBytes -= item.bytes;
    this.#retired.add(item);
    this.#retiredBytes += item.bytes;
    item.retire();
  }

  #evict(item: Budgeted): void {
    this.remove(item);
    this.#evicted += 1;
    item.evict();
  }
}
