import { UpstreamFailure } from '../../remote/upstream-failure.ts';

/**
 * Waits for something no longer than `signal` allows; what it waits for goes on.
 * @throws UpstreamFailure `aborted`
 */
export async function abortable<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return promise;
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new UpstreamFailure('aborted', 'whoever asked has gone'));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
