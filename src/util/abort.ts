import { deferred } from './deferred.ts';

/**
 * Waits for a promise until `signal` aborts; what is waited for goes on.
 * @param signal left out: waits to the end
 * @param gone makes what is thrown once `signal` aborts, at once if it has
 */
export async function untilAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  gone: () => Error,
): Promise<T> {
  if (signal === undefined) return promise;
  const left = deferred<never>();
  const leave = (): void => left.reject(gone());
  if (signal.aborted) leave();
  else signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([left.promise, promise]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
