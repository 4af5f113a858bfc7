/** A piece that took longer than this was not there when it was asked for, ms. */
const WAITED_MS = 30;
/** A source that had something ready for so long while we could not take it is ahead of what leaves, ms. */
const BEHIND_MS = 5_000;
/** A source that has given so much more than passed since it began is none that goes on in real time, ms. */
const MAX_SURPLUS_MS = 60_000;

/** What to do with the piece that has come. */
export type BacklogVerdict = 'use' | 'skip' | 'resume';

/**
 * Tells when a live stream has run ahead of us: for 5 s since it was first held up, each piece was there before it was asked
 * for. What is ready is then left out up to the first piece that had to be waited for: that is the live edge.
 */
export class LiveBacklog {
  readonly #startedAtMs: number;
  /** When it was first held up since it was last waited for. */
  #heldSinceMs: number | undefined;
  #skips = false;
  #isLive: boolean;

  /** @param isLive false for a recording, of which nothing may be left out */
  constructor(nowMs: number, isLive: boolean) {
    this.#startedAtMs = nowMs;
    this.#isLive = isLive;
  }

  /** Notes that what has come could not be taken at once. */
  hold(nowMs: number): void {
    this.#heldSinceMs ??= nowMs;
  }

  /**
   * Judges the piece that has come.
   * @param waitedMs how long it took to come
   * @param mediaMs media that has come in all
   */
  judge(nowMs: number, waitedMs: number, mediaMs: number): BacklogVerdict {
    if (mediaMs > nowMs - this.#startedAtMs + MAX_SURPLUS_MS) this.#isLive = false;
    if (waitedMs >= WAITED_MS) this.#heldSinceMs = undefined;
    const isBehind = this.#isLive && nowMs - (this.#heldSinceMs ?? nowMs) >= BEHIND_MS;
    if (this.#skips && (waitedMs >= WAITED_MS || !this.#isLive)) {
      this.#skips = false;
      this.#heldSinceMs = undefined;
      return 'resume';
    }
    this.#skips ||= isBehind;
    return this.#skips ? 'skip' : 'use';
  }
}
