/** Every code that an `AppError` may carry, with the HTTP status that it maps to. */
const STATUS_BY_CODE = {
  BAD_REQUEST: 400,
  BAD_CONFIG: 400,
  BAD_MEDIA: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  BUSY: 409,
  GONE: 410,
  TOO_LARGE: 413,
  RANGE_NOT_SATISFIABLE: 416,
  LIMIT_REACHED: 429,
  TRANSCODER_FAILED: 500,
  INTERNAL: 500,
  UNAVAILABLE: 503,
} as const;

/** Stable machine-readable name of a failure; shown to REST clients as `code`. */
export type ErrorCode = keyof typeof STATUS_BY_CODE;

/** The one error family of the program: the message says what was wrong, with the value, and what to do about it. */
export class AppError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'AppError';
    this.code = code;
  }

  /** HTTP status that this failure maps to. */
  get statusCode(): number {
    return STATUS_BY_CODE[this.code];
  }
}

/** Turns anything thrown into an `Error`, keeping it as it is when it already is one. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** A non-empty line that says why something failed, safe for a log. */
export function reasonOf(thrown: unknown): string {
  const { message, name } = toError(thrown);
  return message === '' ? name : message;
}
