import { setTimeout as delay } from 'node:timers/promises';

/** A line that several answers share: chunks leave one after the other. */
export class SharedLink {
  /** No limit until a test sets one. */
  bytesPerSecond = Infinity;
  #freeAtMs = 0;

  /** Waits until as many bytes have gone through. */
  async pass(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.bytesPerSecond === Infinity) return;
    this.#freeAtMs = Math.max(this.#freeAtMs, performance.now()) + (bytes / this.bytesPerSecond) * 1_000;
    const waitMs = this.#freeAtMs - performance.now();
    if (waitMs > 1) await delay(waitMs, undefined, { signal });
  }
}
