import type { FfmpegSource } from '../../ffmpeg/ffmpeg-source.ts';
import type { ByteSource } from '../../util/byte-source.ts';
import type { AppError } from '../../util/errors.ts';

/**
 * How ffmpeg or ffprobe open a source: nothing but this very source can be reached through it. The address is `file:` and
 * an absolute path, or one on loopback; the options say which protocols and formats may be opened, and how large a picture
 * may be.
 */
export interface FfmpegInput extends FfmpegSource {
  /** To be called once nothing reads it any more; idempotent. */
  release(): void;
  /** Why not all could be read, although its reader may take what it got for the whole; `undefined` if nothing was cut. */
  fault?(): AppError | undefined;
}

/** What is to be read of a source, where that matters: playlists are read from a place on, others are sought in. */
export interface InputPlace {
  /** Everything if left out, except sound that lies apart. */
  readonly track?: 'video' | 'audio';
  /**
   * Where to begin, or a little before it: ticks from the title's start, with the title's last boundary to compare the
   * playlist's own times with; or how many segments there are until the end. The beginning if left out.
   */
  readonly from?: { readonly ticks: number; readonly endTicks: number } | { readonly lastSegments: number } | undefined;
}

/** Something that may be played, below a media root or on a web server. Checked. */
export interface MediaSource {
  /** `playlist`: an HLS playlist with an end, whose segments are on web servers. */
  readonly kind: 'file' | 'http' | 'playlist';
  /** For people: what was asked for, without credentials and query. Holds no secret. */
  readonly label: string;
  /** Tells these very bytes from all others: place, size, and modification time or entity tag. Holds no secret. */
  readonly identity: string;
  /** 0 for a playlist: nobody tells. */
  readonly sizeBytes: number;
  /** True if the sound is in a playlist of its own. */
  readonly hasSoundApart?: boolean;
  /** Absolute path with symlinks resolved; files only. */
  readonly path?: string;
  /**
   * Lets ffmpeg read it.
   * @throws AppError `GONE` if it is no longer what it was, `FORBIDDEN` if it may no longer be read
   */
  openInput(place?: InputPlace): Promise<FfmpegInput>;
  /** Lets this program read it; whoever opens it closes it. Errors as with `openInput`; never a playlist. */
  openBytes(): Promise<ByteSource>;
}
