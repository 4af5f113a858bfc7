/** One second or more of output. */
interface Bucket {
  readonly startedAtMs: number;
  mediaMs: number;
  bytes: number;
}

const BUCKET_MEDIA_MS = 1_000;
const MAX_BUCKETS = 8;

/** Measures speed and bitrate of an output over about the last eight seconds of media. */
export class RateMeter {
  #buckets: Bucket[] = [];
  #nowMs = 0;

  /** Takes note of a fragment of `bytes` bytes and `mediaMs` of media that came out at `nowMs`. */
  add(nowMs: number, mediaMs: number, bytes: number): void {
    this.#nowMs = nowMs;
    let bucket = this.#buckets.at(-1);
    if (bucket === undefined || bucket.mediaMs >= BUCKET_MEDIA_MS) {
      bucket = { startedAtMs: nowMs, mediaMs: 0, bytes: 0 };
      this.#buckets.push(bucket);
      if (this.#buckets.length > MAX_BUCKETS) this.#buckets.shift();
    }
    bucket.mediaMs += mediaMs;
    bucket.bytes += bytes;
  }

  /** Forgets what it measured: the next output has nothing to do with the last. */
  reset(): void {
    this.#buckets = [];
  }

  /** Media time put out per wall time, 1 being real time; `undefined` until a second was measured. */
  get speed(): number | undefined {
    const [first] = this.#buckets;
    const wallMs = first === undefined ? 0 : this.#nowMs - first.startedAtMs;
    return wallMs < BUCKET_MEDIA_MS ? undefined : this.#sum('mediaMs') / wallMs;
  }

  /** Kilobits per second of media time; `undefined` until a second was measured. */
  get bitrateKbps(): number | undefined {
    const mediaMs = this.#sum('mediaMs');
    return mediaMs < BUCKET_MEDIA_MS ? undefined : (this.#sum('bytes') * 8) / mediaMs;
  }

  #sum(field: 'mediaMs' | 'bytes'): number {
    return this.#buckets.reduce((sum, bucket) => sum + bucket[field], 0);
  }
}
