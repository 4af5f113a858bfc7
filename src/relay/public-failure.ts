import { UpstreamFailure } from '../remote/upstream-failure.ts';
import { AppError } from '../util/errors.ts';

/** Statuses that say that something is not there any more, or not for us. */
const GONE = new Set([403, 404, 410]);

/** What players are told when something of a source cannot be had: nothing of the source's addresses and answers. */
export function publicFailure(error: unknown): AppError {
  if (error instanceof UpstreamFailure) {
    if (error.status !== undefined && GONE.has(error.status)) return expired();
    if (error.kind === 'busy') {
      const message = 'all connections that the source may have are in use; try again in a few seconds';
      return new AppError('UNAVAILABLE', message, { cause: error });
    }
  } else if (error instanceof AppError && error.code === 'NOT_FOUND') {
    return new AppError('NOT_FOUND', 'the source does not have this; reload the multivariant playlist', {
      cause: error,
    });
  }
  return new AppError('UNAVAILABLE', 'the source does not give this at the moment; try again in a few seconds', {
    cause: error,
  });
}

/** For media that is in no playlist, or no longer to be had. */
export function expired(): AppError {
  return new AppError('NOT_FOUND', 'this media has expired; reload the playlist');
}
