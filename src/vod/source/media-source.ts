import type { FfmpegSource } from '../../ffmpeg/ffmpeg-source.ts';
import type { ByteSource } from '../../util/byte-source.ts';

/**
 * How ffmpeg or ffprobe open a source: nothing but this very source can be reached through it. The address is `file:` and
 * an absolute path, or one on loopback; the options say which protocols and formats may be opened, and how large a picture
 * may be.
 */
export interface FfmpegInput extends FfmpegSource {
  /** To be called once nothing reads it any more; idempotent. */
  release(): void;
}

/** A file that may be played, below a media root or on a web server. Checked, immutable. */
export interface MediaSource {
  readonly kind: 'file' | 'http';
  /** For people: what was asked for, without credentials and query. Holds no secret. */
  readonly label: string;
  /** Tells these very bytes from all others: place, size, and modification time or entity tag. Holds no secret. */
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
