import type { Clock } from '../../util/clock.ts';
import { AppError } from '../../util/errors.ts';

/**
 * How much an encoder is needed, least first: by nobody at present, to fill the cache, so that a viewer has something to
 * go on with, or by somebody who waits.
 */
export type Urgency = (typeof URGENCIES)[number];

/** Who takes or wants a slot. Its urgency may change at any time; `EncoderSlots.update` is to be called then. */
export interface SlotUser {
  readonly urgency: Urgency;
  /** The slot is there. May be called before `enter` returns. */
  granted(): void;
  /** It has waited for too long, and waits no more. */
  refused(error: AppError): void;
  /** Somebody needs the slot more: it should leave soon. Called at most once. */
  giveWay(): void;
}

interface SlotLimits {
  /** Slots; at least 1. */
  readonly max: number;
  /** Users that may wait at a time. */
  readonly maxWaiting: number;
  /** How long somebody may wait who is needed at once; others wait as long as it takes. */
  readonly maxWaitMs: number;
}

interface Wait {
  urgency: Urgency;
  sinceMs: number;
}

const URGENCIES = ['idle', 'fill', 'ahead', 'demand'] as const;
const LIMITS: SlotLimits = { max: 1, maxWaiting: 1_000, maxWaitMs: 20_000 };

/**
 * Bounds how many encoders run at a time. Who is needed most is served first, among equals who came first; whoever has
 * a slot and is needed less than somebody who waits is asked to give way.
 */
export class EncoderSlots {
  readonly #limits: SlotLimits;
  readonly #clock: Clock;
  /** Who has a slot, and whether it has been asked to give way. */
  readonly #holders = new Map<SlotUser, { isAsked: boolean }>();
  readonly #waiting = new Map<SlotUser, Wait>();

  constructor(limits: Partial<SlotLimits>, clock: Clock) {
    this.#limits = { ...LIMITS, ...limits };
    this.#clock = clock;
  }

  get max(): number {
    return this.#limits.max;
  }

  get running(): number {
    return this.#holders.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** True if somebody waits who is needed at once. */
  get isContended(): boolean {
    return [...this.#waiting.values()].some(({ urgency }) => urgency === 'demand');
  }

  /**
   * Takes a slot as soon as one is free; `granted` or `refused` tells. Whoever enters leaves.
   * @throws AppError `UNAVAILABLE` if too many wait already
   */
  enter(user: SlotUser): void {
    if (this.#waiting.size >= this.#limits.maxWaiting) {
      throw new AppError('UNAVAILABLE', `${this.#waiting.size} encoders wait for their turn already; try again later`);
    }
    this.#waiting.set(user, { urgency: user.urgency, sinceMs: this.#clock.nowMs() });
    this.update();
  }

  /** Gives the slot back, or waits no more. Does nothing for who is not there. */
  leave(user: SlotUser): void {
    const wasThere = this.#holders.delete(user) || this.#waiting.delete(user);
    if (wasThere) this.update();
  }

  /** To be called when somebody's urgency has changed. */
  update(): void {
    while (this.#holders.size < this.#limits.max) {
      const [next] = this.#queue();
      if (next === undefined) return;
      this.#waiting.delete(next);
      this.#holders.set(next, { isAsked: false });
      next.granted();
    }
    this.#askToGiveWay();
  }

  /** Refuses those who have waited for too long; to be called now and then. */
  sweep(): void {
    const nowMs = this.#clock.nowMs();
    for (const [user, { urgency, sinceMs }] of [...this.#waiting]) {
      if (urgency !== 'demand' || nowMs - sinceMs < this.#limits.maxWaitMs) continue;
      this.#waiting.delete(user);
      const message = `all ${this.#limits.max} encoders have been busy for ${this.#limits.maxWaitMs / 1000} s`;
      user.refused(new AppError('UNAVAILABLE', `${message}; try again later, or raise vod.maxEncoders`));
    }
  }

  /** Who waits, in the order in which they are served. */
  #queue(): SlotUser[] {
    for (const [user, wait] of this.#waiting) {
      if (wait.urgency === user.urgency) continue;
      wait.urgency = user.urgency;
      wait.sinceMs = this.#clock.nowMs();
    }
    const ordered = [...this.#waiting].sort(
      ([, a], [, b]) => rank(b.urgency) - rank(a.urgency) || a.sinceMs - b.sinceMs,
    );
    return ordered.map(([user]) => user);
  }

  #askToGiveWay(): void {
    const leaving = [...this.#holders.values()].filter(({ isAsked }) => isAsked).length;
    // Each who leaves makes room for one who waits.
    for (const user of this.#queue().slice(leaving)) {
      if (!this.#waiting.has(user)) continue;
      const [least] = [...this.#holders]
        .filter(([holder, { isAsked }]) => !isAsked && rank(holder.urgency) < rank(user.urgency))
        .sort(([a], [b]) => rank(a.urgency) - rank(b.urgency));
      if (least === undefined) return;
      const [holder, state] = least;
      state.isAsked = true;
      holder.giveWay();
    }
  }
}

function rank(urgency: Urgency): number {
  return URGENCIES.indexOf(urgency);
}
