import { AppError } from '../../util/errors.ts';

/** Segments and parts that all playlists of one upstream may list together: a day of 6 s segments in 8 renditions. */
export const MAX_LISTED = 120_000;

const ENTRY = /^#EXT(?:INF|-X-PART):/gm;

/** Bounds what the playlists of one upstream take of memory together, however many renditions somebody asks for. */
export class ListingLimit {
  /** By rendition. */
  readonly #counts = new Map<string, number>();

  /**
   * Counts what the newest playlist of a rendition lists, instead of what the one before it did.
   * @param text the playlist, which need not have been read
   * @throws AppError `LIMIT_REACHED` if that is too much together with all others; nothing has changed then
   */
  take(renditionId: string, text: string): void {
    const listed = text.match(ENTRY)?.length ?? 0;
    let others = 0;
    for (const [id, count] of this.#counts) if (id !== renditionId) others += count;
    if (others > 0 && others + listed > MAX_LISTED) {
      const together = `all playlists of the source that are in use list more than ${MAX_LISTED} segments together`;
      throw new AppError('LIMIT_REACHED', `${together}; ask for fewer of its renditions`);
    }
    this.#counts.set(renditionId, listed);
  }
}
