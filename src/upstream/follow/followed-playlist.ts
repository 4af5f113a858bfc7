import type { MediaItem } from '../pool/media-item.ts';
import type { PooledMedia } from '../pool/pooled-media.ts';
import type { AskOptions, PlaylistFollower } from './playlist-follower.ts';
import type { PlaylistSnapshot } from './playlist-snapshot.ts';

/** A playlist that is kept up to date until it is released; whoever follows the same rendition shares its loads. */
export class FollowedPlaylist {
  /** Of the rendition. */
  readonly id: string;
  readonly #follower: PlaylistFollower;
  readonly #release: () => void;

  /** See `Upstream.follow()`. */
  constructor(follower: PlaylistFollower, onRelease: () => void) {
    this.id = follower.id;
    this.#follower = follower;
    const letGo = follower.hold();
    this.#release = () => {
      letGo();
      onRelease();
    };
  }

  /** When upstream last gave a playlist that was right, changed or not, in ms of the clock; `undefined` before the first. */
  get confirmedAtMs(): number | undefined {
    return this.#follower.confirmedAtMs;
  }

  /** What is known; `undefined` before the first load. */
  current(): PlaylistSnapshot | undefined {
    return this.#follower.current;
  }

  /**
   * Waits for a snapshot with a higher version; -1 for the first one. However many wait, nothing more is loaded. A new
   * snapshot need not have a new segment.
   * @throws AppError why it cannot be loaded, once all addresses have failed and again at each failure after that;
   *   `GONE` if the playlist has ended; `UNAVAILABLE` if it is closed or `signal` aborts
   */
  next(afterVersion: number, signal?: AbortSignal): Promise<PlaylistSnapshot> {
    return this.#follower.next(afterVersion, signal);
  }

  /**
   * Asks for a segment, part, initialization section or key of this playlist; to be released. It is fetched from where the
   * newest playlist says that it is. What cannot be fetched counts as in `report()`, by itself.
   */
  ask(item: MediaItem, options: AskOptions = {}): PooledMedia {
    return this.#follower.ask(item, options);
  }

  /**
   * Tells whether a segment was of use, for what can be told only behind the fetch, e.g. that it is no media. After 3 in a
   * row that were none the next address is used; after each the playlist is loaded again soon.
   */
  report(item: MediaItem, outcome: 'ok' | 'failed'): void {
    this.#follower.report(item, outcome);
  }

  /** Lets go of it; idempotent. It is kept up to date a little longer, so that a quick return finds it. */
  release(): void {
    this.#release();
  }
}
