import type { Clock } from '../../util/clock.ts';
import { deferred } from '../../util/deferred.ts';
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
  next.catch(() => undefined);
  const aborted = deferred<never>();
  const onAbort = (): void => aborted.reject(new AppError('UNAVAILABLE', 'the stream is no longer wanted'));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const over = new AbortController();
  const silence = clock.wait(withinMs, over.signal).then(() => {
    throw new AppError('UNAVAILABLE', `nothing came for ${withinMs / 1000} s`);
  });
  silence.catch(() => undefined);
  try {
    const result = await Promise.race([next, silence, aborted.promise]);
    return result.done === true ? undefined : result.value;
  } finally {
    over.abort();
    signal.removeEventListener('abort', onAbort);
  }
}
