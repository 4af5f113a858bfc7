import type { Closable } from './closer.ts';

/** Bytes at rest that may be read at any place: a local file, or a file on a web server that takes ranges. */
export interface ByteSource extends Closable {
  readonly sizeBytes: number;
  /**
   * Reads `length` bytes from `offset` on; fewer only at the end.
   * @throws AppError `BAD_MEDIA` if the source has changed or ends early, `UNAVAILABLE` if it cannot be reached
   */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Buffer>;
}
