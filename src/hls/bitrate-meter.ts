import type { Segment } from './segment.ts';

/** After this much media the past counts half: the average follows a stream that changes. */
const MEMORY_MS = 10 * 60_000;

/** How far a measurement may move before the published figure follows. */
const HYSTERESIS = 0.1;

/** Headroom of a published figure, so that it need not follow each fluctuation. */
const HEADROOM = 1.05;

/** Measures a track's bitrate from its real segments. Figures are bit/s, and steady: small fluctuations do not change them. */
export class BitrateMeter {
  readonly #minMs: number;
  #bits = 0;
  #ms = 0;
  #peak = 0;
  #published = { peak: 0, average: 0 };

  /** @param minMs shorter segments say nothing about the peak (RFC 8216, 4.3.4.2: half a target duration) */
  constructor(minMs: number) {
    this.#minMs = minMs;
  }

  /** Highest rate of any segment. */
  get peak(): number {
    return this.#published.peak;
  }

  get average(): number {
    return this.#published.average;
  }

  add({ gap, bytes, durationMs }: Segment): void {
    if (gap || durationMs <= 0) return;
    const bits = bytes * 8;
    if (this.#ms > MEMORY_MS) {
      this.#bits /= 2;
      this.#ms /= 2;
    }
    this.#bits += bits;
    this.#ms += durationMs;
    const rate = (bits * 1000) / durationMs;
    if (durationMs >= this.#minMs || this.#peak === 0) this.#peak = Math.max(this.#peak, rate);
    this.#publish();
  }

  #publish(): void {
    const average = (this.#bits * 1000) / this.#ms;
    const peak = follow(this.#published.peak, this.#peak);
    this.#published = { peak, average: Math.min(peak, follow(this.#published.average, average)) };
  }
}

function follow(published: number, measured: number): number {
  const isNear = measured <= published && measured > published * (1 - 2 * HYSTERESIS);
  return isNear ? published : Math.ceil((measured * HEADROOM) / 1000) * 1000;
}
