import type { Subscription } from 'rxjs';
import { durationMs, type Fragment } from '../media/fragment.ts';
import type { FragmentSource } from './fragment-broadcaster.ts';
import type { MediaLimits } from './gop-buffer.ts';

/** Limits of a live reader's queue: enough for a publisher's burst of several seconds. */
export const FEED_LIMITS: MediaLimits = Object.freeze({ maxBytes: 48 * 1024 * 1024, maxMediaMs: 10_000 });

/**
 * One asynchronous reader's own queue of a track. It starts at the newest keyframe (the current GOP is replayed), and when
 * its reader is slower than the limits allow it drops whole GOPs, counts them, and goes on at a keyframe.
 */
export class BoundedFeed {
  readonly #limits: MediaLimits;
  readonly #subscription: Subscription;
  #queue: Fragment[] = [];
  #bytes = 0;
  #mediaMs = 0;
  #awaitKeyframe = true;
  #ended = false;
  #dropped = 0;
  #wake: (() => void) | undefined;

  constructor(source: FragmentSource, limits: MediaLimits = FEED_LIMITS) {
    this.#keep([...source.currentGop]);
    // The replayed GOP comes on top: the limits are about falling behind, not about where to start.
    this.#limits = { maxBytes: limits.maxBytes + this.#bytes, maxMediaMs: limits.maxMediaMs + this.#mediaMs };
    this.#subscription = source.fragments$.subscribe({
      next: (fragment) => this.#push(fragment),
      complete: () => this.#end(),
    });
    if (source.closed) this.#end();
  }

  /** Fragments dropped so far because the reader fell behind. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Fragments that wait to be read. */
  get queued(): number {
    return this.#queue.length;
  }

  /** The next fragment, waiting for it; `undefined` once the track has ended and all is read, or `signal` aborts. */
  async next(signal: AbortSignal): Promise<Fragment | undefined> {
    for (;;) {
      if (signal.aborted) return undefined;
      const fragment = this.#queue.shift();
      if (fragment !== undefined) {
        this.#bytes -= fragment.bytes.length;
        this.#mediaMs -= durationMs(fragment);
        return fragment;
      }
      if (this.#ended) return undefined;
      await this.#arrival(signal);
    }
  }

  /** Stops listening; what is queued stays readable. Idempotent. */
  close(): void {
    this.#subscription.unsubscribe();
    this.#end();
  }

  #arrival(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  #push(fragment: Fragment): void {
    if (this.#awaitKeyframe && !fragment.keyframe) {
      this.#dropped += 1;
      return;
    }
    this.#awaitKeyframe = false;
    this.#queue.push(fragment);
    this.#bytes += fragment.bytes.length;
    this.#mediaMs += durationMs(fragment);
    if (this.#bytes > this.#limits.maxBytes || this.#mediaMs > this.#limits.maxMediaMs) this.#dropGops();
    this.#wake?.();
  }

  /** Keeps only what follows the newest keyframe; if that is the queue's own head, nothing until the next keyframe. */
  #dropGops(): void {
    const newest = this.#queue.findLastIndex((fragment) => fragment.keyframe);
    const keepFrom = newest > 0 ? newest : this.#queue.length;
    this.#dropped += keepFrom;
    this.#keep(this.#queue.slice(keepFrom));
  }

  #keep(fragments: Fragment[]): void {
    this.#queue = fragments;
    this.#bytes = fragments.reduce((sum, { bytes }) => sum + bytes.length, 0);
    this.#mediaMs = fragments.reduce((sum, fragment) => sum + durationMs(fragment), 0);
    this.#awaitKeyframe = fragments.length === 0;
  }

  #end(): void {
    this.#ended = true;
    this.#wake?.();
  }
}
