import { durationMs, type Fragment } from '../media/fragment.ts';

/** Bounds of what may wait. */
interface PendingLimits {
  readonly maxBytes: number;
  readonly maxMs: number;
}

/** The fragments of a track that wait for the timeline's decision, in order. */
export class PendingFragments {
  readonly #limits: PendingLimits;
  #fragments: Fragment[] = [];
  #next = 0;
  #bytes = 0;
  #ms = 0;

  constructor(limits: PendingLimits) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#fragments.length - this.#next;
  }

  /** The one that has waited longest. */
  get first(): Fragment | undefined {
    return this.#fragments[this.#next];
  }

  /** Queues a fragment; false if that is more than the limits allow: then the whole queue is dropped. */
  push(fragment: Fragment): boolean {
    this.#fragments.push(fragment);
    this.#bytes += fragment.bytes.length;
    this.#ms += durationMs(fragment);
    if (this.#bytes <= this.#limits.maxBytes && this.#ms <= this.#limits.maxMs) return true;
    this.clear();
    return false;
  }

  /** Takes the first one off. */
  shift(): void {
    const fragment = this.#fragments[this.#next];
    if (fragment === undefined) return;
    this.#next += 1;
    this.#bytes -= fragment.bytes.length;
    this.#ms -= durationMs(fragment);
    if (this.#next === this.#fragments.length) this.clear();
  }

  clear(): void {
    this.#fragments = [];
    this.#next = 0;
    this.#bytes = 0;
    this.#ms = 0;
  }
}
