import { UpstreamFailure } from '../../remote/upstream-failure.ts';
import { untilAborted } from '../../util/abort.ts';

/**
 * Waits for something no longer than `signal` allows; what it waits for goes on.
 * @throws UpstreamFailure `aborted`
 */
export function abortable<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  return untilAborted(promise, signal, () => new UpstreamFailure('aborted', 'whoever asked has gone'));
}
