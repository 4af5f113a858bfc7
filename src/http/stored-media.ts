import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { StoredFile } from '../hls/media-file.ts';
import { AppError } from '../util/errors.ts';
import type { ByteRange } from './byte-range.ts';

/** Most segments of a rung are one piece: reading costs more by the piece than by the byte. */
const PIECE_BYTES = 512 * 1024;

/**
 * Opens media on disk to be sent. Whoever gets the stream ends it, and with that the file.
 * @throws AppError `NOT_FOUND` if it has gone, or is not what it was said to be.
 */
export async function readStored({ path, size }: StoredFile, { first, last }: ByteRange): Promise<Readable> {
  const handle = await openWhole(path, size);
  return handle.createReadStream({ start: first, end: last, highWaterMark: PIECE_BYTES });
}

async function openWhole(path: string, size: number): Promise<FileHandle> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    if ((await handle.stat()).size === size) return handle;
  } catch {
    // It has gone, which is all that the client can use.
  }
  await handle?.close().catch(() => undefined);
  throw new AppError('NOT_FOUND', 'this media has expired; reload the playlist');
}
