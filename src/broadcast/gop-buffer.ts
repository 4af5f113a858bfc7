import { durationMs, type Fragment } from '../media/fragment.ts';

/** Bounds of a buffer in media time and bytes. */
export interface MediaLimits {
  readonly maxBytes: number;
  readonly maxMediaMs: number;
}

/** Keeps the fragments since the newest keyframe, or nothing once they exceed the limits. */
export class GopBuffer {
  readonly #limits: MediaLimits;
  #fragments: Fragment[] = [];
  #bytes = 0;
  #mediaMs = 0;

  constructor(limits: MediaLimits) {
    this.#limits = limits;
  }

  get fragments(): readonly Fragment[] {
    return this.#fragments;
  }

  push(fragment: Fragment): void {
    if (fragment.keyframe) this.clear();
    else if (this.#fragments.length === 0) return;
    this.#fragments.push(fragment);
    this.#bytes += fragment.bytes.length;
    this.#mediaMs += durationMs(fragment);
    if (this.#bytes > this.#limits.maxBytes || this.#mediaMs > this.#limits.maxMediaMs) this.clear();
  }

  clear(): void {
    this.#fragments = [];
    this.#bytes = 0;
    this.#mediaMs = 0;
  }
}
