import { untilAborted } from '../../util/abort.ts';
import type { Clock } from '../../util/clock.ts';
import { AppError } from '../../util/errors.ts';

interface Patience {
  readonly clock: Clock;
  readonly withinMs: number;
  readonly signal: AbortSignal;
}

/**
 * The next piece of a stream, or `undefined` at its end. When this rejects, a read may still be going on: the stream is to
 * be closed.
 * @throws AppError `UNAVAILABLE` if nothing comes in time or `signal` aborts; what the stream throws
 */
export async function nextPiece(
  pieces: AsyncIterator<Buffer, unknown>,
  { clock, withinMs, signal }: Patience,
): Promise<Buffer | undefined> {
  const next = pieces.next();
  const over = new AbortController();
  const silence = clock.wait(withinMs, over.signal).then(() => {
    throw new AppError('UNAVAILABLE', `nothing came for ${withinMs / 1000} s`);
  });
  try {
    const aborted = (): AppError => new AppError('UNAVAILABLE', 'the stream is no longer wanted');
    const result = await untilAborted(Promise.race([next, silence]), signal, aborted);
    return result.done === true ? undefined : result.value;
  } finally {
    over.abort();
  }
}
