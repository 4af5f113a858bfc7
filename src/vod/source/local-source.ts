import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import type { ByteSource } from '../../util/byte-source.ts';
import { AppError } from '../../util/errors.ts';
import { localInput } from './input-options.ts';
import type { FfmpegInput, MediaSource } from './media-source.ts';
import type { RootedPath } from './media-roots.ts';

/**
 * A file below a media root. Its identity is real path, size, and modification time in nanoseconds; no inode and device,
 * which change on some file systems whenever they are mounted.
 */
export class LocalSource implements MediaSource {
  readonly kind = 'file';
  readonly label: string;
  readonly identity: string;
  readonly sizeBytes: number;
  readonly path: string;

  private constructor({ label, realPath }: RootedPath, stats: BigIntStats) {
    this.label = label;
    this.path = realPath;
    this.identity = identityOf(realPath, stats);
    this.sizeBytes = Number(stats.size);
  }

  /**
   * Looks at the file.
   * @throws AppError `BAD_MEDIA` if it is no regular file or empty, `NOT_FOUND` if it is gone
   */
  static async open(file: RootedPath): Promise<LocalSource> {
    const stats = await fs.stat(file.realPath, { bigint: true }).catch(() => undefined);
    if (stats === undefined) throw new AppError('NOT_FOUND', `"${file.label}" is gone`);
    if (stats.isDirectory()) throw new AppError('BAD_MEDIA', `"${file.label}" is a folder; name a file in it`);
    if (!stats.isFile()) throw new AppError('BAD_MEDIA', `"${file.label}" is ${kindOf(stats)}, not a regular file`);
    if (stats.size === 0n) throw new AppError('BAD_MEDIA', `"${file.label}" is empty`);
    return new LocalSource(file, stats);
  }

  async openInput(): Promise<FfmpegInput> {
    // Nothing in a real path may be a link by now, or it would lead somewhere that was never checked.
    const real = await fs.realpath(this.path).catch(() => undefined);
    const stats = real === this.path ? await fs.stat(real, { bigint: true }).catch(() => undefined) : undefined;
    this.#check(stats);
    const readable = await fs.access(this.path, constants.R_OK).then(
      () => true,
      () => false,
    );
    if (!readable) throw unreadable(this.label);
    return localInput(this.path);
  }

  async openBytes(): Promise<ByteSource> {
    const input = await this.openInput();
    input.release();
    // A FIFO that has taken the file's place would otherwise keep the opening waiting.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = await fs.open(this.path, flags).catch((thrown: unknown) => {
      throw isMissing(thrown) ? this.#changed('GONE') : unreadable(this.label);
    });
    const isSame = async (): Promise<boolean> =>
      identityOf(this.path, await file.stat({ bigint: true })) === this.identity;
    if (!(await isSame())) {
      await file.close();
      throw this.#changed('GONE');
    }
    return new LocalBytes(file, this.sizeBytes, async () => {
      if (!(await isSame())) throw this.#changed('BAD_MEDIA');
    });
  }

  #check(stats: BigIntStats | undefined): void {
    if (stats?.isFile() !== true || identityOf(this.path, stats) !== this.identity) throw this.#changed('GONE');
  }

  #changed(code: 'GONE' | 'BAD_MEDIA'): AppError {
    return new AppError(code, `"${this.label}" has changed or is gone; play it anew`);
  }
}

class LocalBytes implements ByteSource {
  readonly sizeBytes: number;
  readonly #file: fs.FileHandle;
  readonly #check: () => Promise<void>;
  #closing: Promise<void> | undefined;

  constructor(file: fs.FileHandle, sizeBytes: number, check: () => Promise<void>) {
    this.#file = file;
    this.sizeBytes = sizeBytes;
    this.#check = check;
  }

  async read(offset: number, length: number, signal?: AbortSignal): Promise<Buffer> {
    if (signal?.aborted === true) throw new AppError('UNAVAILABLE', 'reading the source was aborted');
    const wanted = Math.max(0, Math.min(length, this.sizeBytes - offset));
    const bytes = Buffer.alloc(wanted);
    let done = 0;
    while (done < wanted) {
      const { bytesRead } = await this.#file.read(bytes, done, wanted - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    await this.#check();
    return bytes;
  }

  close(): Promise<void> {
    this.#closing ??= this.#file.close().catch(() => undefined);
    return this.#closing;
  }
}

function identityOf(realPath: string, { size, mtimeNs }: BigIntStats): string {
  return `file:${realPath}|${size}|${mtimeNs}`;
}

function isMissing(thrown: unknown): boolean {
  return ['ENOENT', 'ELOOP', 'ENOTDIR'].includes((thrown as NodeJS.ErrnoException).code ?? '');
}

function unreadable(label: string): AppError {
  return new AppError('FORBIDDEN', `"${label}" may not be read by this server; check its permissions`);
}

function kindOf(stats: BigIntStats): string {
  if (stats.isFIFO()) return 'a named pipe';
  if (stats.isSocket()) return 'a socket';
  return stats.isBlockDevice() || stats.isCharacterDevice() ? 'a device' : 'something else';
}
