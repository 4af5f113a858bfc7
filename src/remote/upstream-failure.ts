import { AppError, toError } from '../util/errors.ts';

/**
 * Why something could not be fetched: `status` = answered with a status that is no success; `timeout`; `network` = no
 * connection, or it broke; `too-large`; `blocked` = an address that may not be reached; `bad-answer` = an answer that is
 * no use, e.g. another part than asked for; `busy` = no connection was free in time; `aborted` = whoever asked gave up.
 */
export type FailureKind =
  'status' | 'timeout' | 'network' | 'too-large' | 'blocked' | 'bad-answer' | 'busy' | 'aborted';

/** Something that could not be fetched; its message is fit for users. */
export class UpstreamFailure extends AppError {
  readonly kind: FailureKind;
  /** The HTTP status, if the answer's status was the reason. */
  readonly status: number | undefined;

  constructor(kind: FailureKind, message: string, { status, cause }: { status?: number; cause?: unknown } = {}) {
    super('UNAVAILABLE', message, { cause });
    this.kind = kind;
    this.status = status;
  }

  /** True if the same request may work a moment later: the server was overloaded, slow, or hung up. */
  get isTemporary(): boolean {
    const { kind, status = 0 } = this;
    return kind === 'timeout' || kind === 'network' || (kind === 'status' && (status >= 500 || RETRIED.has(status)));
  }

  /** True if the address may have run out, e.g. because its token has expired: a newer one of the same thing may work. */
  get hasRunOut(): boolean {
    return this.status !== undefined && RUN_OUT.has(this.status);
  }
}

const RUN_OUT = new Set([401, 403, 404, 410]);

/** Request timeout, too early, too many requests. */
const RETRIED = new Set([408, 425, 429]);

/** A reason for aborting a request that is told from others by its code. */
export function abortReason(kind: 'timeout' | 'aborted', message: string): Error {
  return Object.assign(new Error(message), { code: kind === 'timeout' ? 'ETIMEDOUT' : 'ABORT_ERR' });
}

/** What kind of failure an error of the HTTP client, or an `abortReason()`, is. */
export function failureKind(thrown: unknown): FailureKind {
  if (thrown instanceof UpstreamFailure) return thrown.kind;
  if (thrown instanceof AppError) return thrown.code === 'FORBIDDEN' ? 'blocked' : 'bad-answer';
  const { code = '', name } = toError(thrown) as NodeJS.ErrnoException;
  if (code === 'EFORBIDDEN') return 'blocked';
  if (code === 'ABORT_ERR' || code === 'UND_ERR_ABORTED' || name === 'AbortError') return 'aborted';
  return code === 'ETIMEDOUT' || code.endsWith('_TIMEOUT') ? 'timeout' : 'network';
}
