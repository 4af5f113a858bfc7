import type { RemoteResponse } from '../../remote/remote-response.ts';
import type { SourceFetcher } from '../pool/source-fetcher.ts';
import { FollowedPlaylist } from './followed-playlist.ts';
import type { SharedUpstream } from './shared-upstream.ts';
import type { StreamKind } from './stream-kind.ts';
import type { UpstreamLadder } from './upstream-ladder.ts';
import type { UpstreamStatus } from './upstream-status.ts';
import type { UrlRotation } from './url-rotation.ts';

/** One use of what the addresses of a source give; equal sources share everything behind it. To be released. */
export class Upstream {
  readonly #shared: SharedUpstream;
  readonly #onRelease: () => void;
  readonly #followed = new Set<FollowedPlaylist>();
  readonly #cleanups = new Set<() => void>();
  #isReleased = false;
  #isStreaming = false;

  /** See `UpstreamHub.open()`. */
  constructor(shared: SharedUpstream, onRelease: () => void) {
    this.#shared = shared;
    this.#onRelease = onRelease;
  }

  /** Which address is used. Whoever reads the stream reports to it. */
  get rotation(): UrlRotation {
    return this.#shared.rotation;
  }

  /** Fetches what belongs to the source, for instance its keys. */
  get fetcher(): SourceFetcher {
    return this.#shared.fetcher;
  }

  /**
   * Finds out what the source is, at its first address that works.
   * @throws AppError `BAD_MEDIA`, `FORBIDDEN` or `UNAVAILABLE` once all addresses have failed, or `signal` aborts
   */
  kind(signal?: AbortSignal): Promise<StreamKind> {
    return this.#shared.kind(signal);
  }

  /**
   * What a source of playlists offers; the same whenever it is asked.
   * @throws as `kind()`; AppError `BAD_MEDIA` if it is a continuous stream
   */
  ladder(signal?: AbortSignal): Promise<UpstreamLadder> {
    return this.#shared.ladder(signal);
  }

  /**
   * Begins to follow a rendition of `ladder()`, or joins those who do.
   * @throws AppError `NOT_FOUND` if there is none of this id, `ladder()` has not answered yet, or it is released
   */
  follow(renditionId: string): FollowedPlaylist {
    const followed: FollowedPlaylist = new FollowedPlaylist(this.#shared.follower(renditionId), () => {
      this.#followed.delete(followed);
    });
    if (this.#isReleased) followed.release();
    else this.#followed.add(followed);
    return followed;
  }

  /**
   * Opens the stream of a continuous source at the address at present; to be closed. Whether it was of use is to be told
   * to `rotation`.
   * @throws UpstreamFailure or AppError `FORBIDDEN`
   */
  openStream(signal?: AbortSignal): Promise<RemoteResponse> {
    if (!this.#isStreaming && !this.#isReleased) {
      this.#isStreaming = true;
      this.#cleanups.add(this.#shared.useStream());
    }
    return this.#shared.openStream(signal);
  }

  status(): UpstreamStatus {
    return this.#shared.status;
  }

  /** Calls `listener` after each change of state, address or last error, until the returned function is called. */
  onChange(listener: () => void): () => void {
    const off = this.#shared.onChange(listener);
    this.#cleanups.add(off);
    return () => {
      this.#cleanups.delete(off);
      off();
    };
  }

  /** Lets go of it and of all that it follows; idempotent. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    for (const followed of [...this.#followed]) followed.release();
    for (const cleanup of this.#cleanups) cleanup();
    this.#cleanups.clear();
    this.#onRelease();
  }
}
