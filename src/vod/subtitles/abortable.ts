import { AppError } from '../../util/errors.ts';

/**
 * Waits for a promise no longer than somebody wants to; what it does goes on.
 * @throws AppError `GONE` if aborted
 */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(new AppError('GONE', 'nobody waits for these subtitles any more'));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
