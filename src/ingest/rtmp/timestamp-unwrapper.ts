const WRAP_MS = 2 ** 32;
/** Encoder delay makes the first frames of a stream a little earlier than zero, never more than this. */
const MAX_BEFORE_ZERO_MS = 60_000;

/**
 * Makes RTMP's 32-bit ms timestamps go on past 2^32: each is taken as the nearest to the one before, be it earlier or
 * later. One per connection, so that all tracks stay on one time base.
 */
export class TimestampUnwrapper {
  #lastMs: number | undefined;

  /** The timestamp on the continuing time base; slightly negative only right at the start of a stream. */
  unwrap(timestampMs: number): number {
    if (this.#lastMs === undefined) return (this.#lastMs = timestampMs);
    const distanceMs = (timestampMs - this.#lastMs) | 0;
    let ms = this.#lastMs + distanceMs;
    if (ms < -MAX_BEFORE_ZERO_MS) ms += WRAP_MS;
    this.#lastMs = ms;
    return ms;
  }
}
