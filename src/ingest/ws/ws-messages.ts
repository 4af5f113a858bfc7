import { AppError, type ErrorCode, toError } from '../../util/errors.ts';
import type { PublicationStats } from '../publication.ts';

/** Text frames, as JSON, that the server sends to a WebSocket publisher. */
export type WsMessage =
  /** The key was accepted: media may flow. What was sent before is not lost. */
  | { readonly type: 'ready'; readonly broadcast: string }
  /** Why the connection is about to be closed; the close code is `closeCodeOf` of the same error. */
  | { readonly type: 'error'; readonly code: ErrorCode; readonly message: string }
  /** Every 2 s: counters, and the received bytes that have not been read yet. */
  | ({ readonly type: 'stats'; readonly waitingBytes: number } & PublicationStats);

const INTERNAL_ERROR = 1011;
const TRY_AGAIN_LATER = 1013;

/** Close code that tells a failure: 4000 plus its HTTP status (4401, 4400, 4409 …); 1013 or 1011 if the server is at fault. */
export function closeCodeOf({ statusCode }: AppError): number {
  if (statusCode < 500) return 4000 + statusCode;
  return statusCode === 503 ? TRY_AGAIN_LATER : INTERNAL_ERROR;
}

/** Anything thrown as an `AppError`; a foreign error's text may hold secrets and stays inside. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  return new AppError('INTERNAL', 'the server failed to handle the connection', { cause: toError(thrown) });
}
