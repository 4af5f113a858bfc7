import type { ByteSource } from '../../util/byte-source.ts';

/** How ffmpeg or ffprobe open a source: nothing but this very source can be reached through it. */
export interface FfmpegInput {
  /** What comes after `-i`: `file:` and an absolute path, or an address on loopback. */
  readonly url: string;
  /** Options before `-i`: which protocols and formats may be opened, and how large a picture may be. */
  readonly options: readonly string[];
  /** To be called once nothing reads it any more; idempotent. */
  release(): void;
}

/** A file that may be played, below a media root or on a web server. Checked, immutable. */
export interface MediaSource {
  readonly kind: 'file' | 'http';
  /** For people: what was asked for, without credentials and query. Holds no secret. */
  readonly label: string;
  /** Tells these very bytes from all others: place, size, and modification time or entity tag. May hold secrets. */
  readonly identity: string;
  readonly sizeBytes: number;
  /** Absolute path with symlinks resolved; files only. */
  readonly path?: string;
  /**
   * Lets ffmpeg read it.
   * @throws AppError `GONE` if it is no longer what it was, `FORBIDDEN` if it may no longer be read
   */
  openInput(): Promise<FfmpegInput>;
  /** Lets this program read it; whoever opens it closes it. Errors as with `openInput`. */
  openBytes(): Promise<ByteSource>;
}
