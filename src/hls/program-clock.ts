/** How far wall clock and media time may slip before the mapping is corrected. */
const MAX_SLIP_MS = 500;

/** Both in wall clock and in media time: a burst of old media is short in one, a freeze in the other. */
const WINDOW_MS = 10_000;

const BUCKET_MS = 500;
const MAX_BUCKETS = 256;

interface Bucket {
  readonly mediaMs: number;
  readonly wallMs: number;
  /** Smallest arrival minus media time, ms. */
  offsetMs: number;
}

/**
 * Maps one epoch's media time to wall clock. The mapping follows the earliest arrivals of the last 10 s, so that a burst
 * does not move it while lost media time does.
 */
export class ProgramClock {
  #buckets: Bucket[] = [];
  #anchorMs: number | undefined;

  /** Notes when a frame of the source arrived; the first one is the anchor. All in ms. */
  observe(mediaMs: number, arrivedAtMs: number): void {
    const offsetMs = arrivedAtMs - mediaMs;
    this.#anchorMs ??= offsetMs;
    const newest = this.#buckets.at(-1);
    if (newest !== undefined && mediaMs - newest.mediaMs < BUCKET_MS) {
      newest.offsetMs = Math.min(newest.offsetMs, offsetMs);
    } else {
      this.#buckets.push({ mediaMs, wallMs: arrivedAtMs, offsetMs });
      this.#evict(mediaMs, arrivedAtMs);
    }
  }

  /** Forgets everything. */
  reset(): void {
    this.#buckets = [];
    this.#anchorMs = undefined;
  }

  /** Wall clock at a media time, ms since the Unix epoch. */
  at(mediaMs: number): number {
    return mediaMs + (this.#anchorMs ?? 0);
  }

  /** Makes `at(mediaMs)` be `wallMs`. */
  anchor(mediaMs: number, wallMs: number): void {
    this.#anchorMs = wallMs - mediaMs;
  }

  /** Corrects the mapping if media time was lost since it was made; true if so. It only ever moves forwards. */
  correct(): boolean {
    const earliestMs = Math.min(...this.#buckets.map(({ offsetMs }) => offsetMs));
    if (!Number.isFinite(earliestMs) || earliestMs - (this.#anchorMs ?? 0) <= MAX_SLIP_MS) return false;
    this.#anchorMs = earliestMs;
    return true;
  }

  #evict(mediaMs: number, wallMs: number): void {
    const isOld = (bucket: Bucket): boolean =>
      bucket.mediaMs < mediaMs - WINDOW_MS && bucket.wallMs < wallMs - WINDOW_MS;
    this.#buckets = this.#buckets.filter((bucket) => !isOld(bucket)).slice(-MAX_BUCKETS);
  }
}
