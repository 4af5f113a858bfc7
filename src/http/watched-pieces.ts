import type { Clock } from '../util/clock.ts';

/** A viewer that takes nothing for this long is dropped: it would keep media in memory that nobody else wants. */
const STALLED_MS = 15_000;
/** Whoever takes less over time (128 kbit/s) is dropped as well, since many of them would keep all memory. */
const LEAST_BYTES_PER_MS = 16;

/** Hands pieces on, and tells when the next one is taken too late: after 15 s, or sooner by one who was slow before. */
export async function* watchedPieces(
  pieces: AsyncIterable<Buffer>,
  { clock, onStalled }: { clock: Clock; onStalled: () => void },
): AsyncGenerator<Buffer> {
  let patienceMs = STALLED_MS;
  for await (const piece of pieces) {
    const taken = new AbortController();
    const givenAtMs = clock.nowMs();
    void clock.wait(patienceMs, taken.signal).then(() => {
      if (!taken.signal.aborted) onStalled();
    });
    try {
      yield piece;
    } finally {
      taken.abort();
    }
    const tookMs = clock.nowMs() - givenAtMs;
    patienceMs = Math.min(STALLED_MS, patienceMs - tookMs + piece.length / LEAST_BYTES_PER_MS);
  }
}
