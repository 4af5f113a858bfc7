import { AppError } from '../../util/errors.ts';
import { FilmShelf } from './film/film-shelf.ts';
import { LocalSource } from './local-source.ts';
import { type MediaListing, listMedia } from './media-listing.ts';
import { MediaRoots } from './media-roots.ts';
import type { MediaSource } from './media-source.ts';
import { openRemote } from './open-remote.ts';
import type { RemoteAccess } from './remote-source.ts';

const MAX_SOURCE_CHARS = 4_096;
/** What ffmpeg would take for a protocol: `concat:`, `data:`, `subfile,,start,0,,:` and the like. */
const SCHEME = /^([a-z][\w+.,-]*):/i;

/** What files may be played. */
export interface SourceResolverOptions {
  /** Folders; see `MediaRoots`. */
  readonly mediaRoots: readonly string[];
  /** How web servers are reached; without it no remote source may be played. */
  readonly remote?: RemoteAccess | undefined;
}

/** Turns what a user names into a source that may be played, or says why it may not. */
export class SourceResolver {
  readonly #roots: MediaRoots;
  readonly #remote: RemoteAccess | undefined;
  readonly #films = new FilmShelf();

  constructor({ mediaRoots, remote }: SourceResolverOptions) {
    this.#roots = new MediaRoots(mediaRoots);
    this.#remote = remote;
  }

  /**
   * Resolves an http(s) address, an absolute path below a media root, `ROOTNAME/path` as `browse()` shows it, or a path
   * relative to a media root. A file is looked at, not read; of an HLS playlist at an http(s) address some is loaded.
   * @throws AppError `BAD_REQUEST` for what cannot be a source, `FORBIDDEN` for what may not be played, `NOT_FOUND` if
   *   there is no such file, `BAD_MEDIA` if it is no regular file, empty, on a server without range requests, or a playlist
   *   that is no film,
   *   `UNAVAILABLE` if the web server cannot be reached or is none that may be, or `signal` aborts
   */
  async resolve(source: string, signal?: AbortSignal): Promise<MediaSource> {
    checkText(source);
    const scheme = SCHEME.exec(source)?.[1]?.toLowerCase();
    if (scheme === undefined) return LocalSource.open(await this.#roots.find(source));
    if (scheme !== 'http' && scheme !== 'https') {
      throw new AppError(
        'BAD_REQUEST',
        `"${scheme}:" is no source; name a path below a media root, or an http(s) address`,
      );
    }
    if (this.#remote === undefined) throw new AppError('FORBIDDEN', 'remote sources may not be played by this server');
    return openRemote(this.#remote, this.#films, source, signal);
  }

  /**
   * Lists what may be played in a folder: `ROOTNAME/path`, or the media roots themselves for an empty path.
   * @throws AppError `BAD_REQUEST`, `FORBIDDEN`, `NOT_FOUND` as with `resolve()`, or if it is no folder
   */
  async browse(folder = ''): Promise<MediaListing> {
    if (folder !== '') checkText(folder);
    return listMedia(this.#roots, folder);
  }
}

function checkText(source: string): void {
  if (source === '') throw new AppError('BAD_REQUEST', 'the source is empty; name a file or an http(s) address');
  if (source.length > MAX_SOURCE_CHARS) {
    throw new AppError('BAD_REQUEST', `the source has ${source.length} characters; ${MAX_SOURCE_CHARS} are the limit`);
  }
  if (source.includes('\0')) throw new AppError('BAD_REQUEST', 'the source must not hold a NUL character');
}
