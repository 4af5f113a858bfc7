import type { Clock } from '../../util/clock.ts';

/** Somebody who plays a rendition, and where. */
export interface Watcher {
  /** The segment that it will probably ask for first. */
  readonly startAt: number;
  /** The segment that it asked for last; `undefined` if it has withdrawn that. */
  position: number | undefined;
  /** When it asked for something last. */
  askedMs: number;
}

/** All who play one rendition. */
export class Watchers {
  readonly #all = new Set<Watcher>();
  readonly #clock: Clock;
  readonly #aheadSegments: number;
  readonly #idleMs: number;

  /** @param idleMs whoever asks for nothing for so long needs nothing encoded */
  constructor(clock: Clock, aheadSegments: number, idleMs: number) {
    this.#clock = clock;
    this.#aheadSegments = aheadSegments;
    this.#idleMs = idleMs;
  }

  get size(): number {
    return this.#all.size;
  }

  add(watcher: Watcher): void {
    this.#all.add(watcher);
  }

  delete(watcher: Watcher): void {
    this.#all.delete(watcher);
  }

  /** Notes what somebody asks for. */
  moved(watcher: Watcher, position: number): void {
    watcher.position = position;
    watcher.askedMs = this.#clock.nowMs();
  }

  /** Where somebody is going to begin; 0 if nothing is known. */
  likelyStart(): number {
    return [...this.#all].find(({ position }) => position !== undefined)?.position ?? 0;
  }

  /** True if what a run makes next is soon going to be asked for. */
  need({ next, end }: { readonly next: number; readonly end: number }): boolean {
    const nowMs = this.#clock.nowMs();
    return [...this.#all].some(({ position, askedMs }) => {
      if (position === undefined || nowMs - askedMs >= this.#idleMs) return false;
      return position < end && next <= position + this.#aheadSegments;
    });
  }
}
