import { type Deferred, deferred } from '../../util/deferred.ts';
import { AppError } from '../../util/errors.ts';
import { abortable } from './abortable.ts';
import type { PlaylistSnapshot } from './playlist-snapshot.ts';

/** The newest snapshot, and those who wait for a newer one: one promise for all of them. */
export class LatestSnapshot {
  #snapshot: PlaylistSnapshot | undefined;
  #changed: Deferred<void> = deferred();
  #isClosed = false;

  get value(): PlaylistSnapshot | undefined {
    return this.#snapshot;
  }

  /**
   * Waits for a snapshot with a higher version.
   * @param isFinal tells whether none will come after the newest one
   * @throws AppError what `reject()` says; `GONE` if none will come; `UNAVAILABLE` if it is closed or `signal` aborts
   */
  async after(version: number, isFinal: () => boolean, signal?: AbortSignal): Promise<PlaylistSnapshot> {
    for (;;) {
      const snapshot = this.#snapshot;
      if (snapshot !== undefined && snapshot.version > version) return snapshot;
      if (this.#isClosed) throw closed();
      if (isFinal()) throw new AppError('GONE', 'the source has come to its end');
      await abortable(this.#changed.promise, signal);
    }
  }

  /** Forgets what may be long out of date. */
  forget(): void {
    this.#snapshot = undefined;
  }

  publish(snapshot: PlaylistSnapshot): void {
    this.#snapshot = snapshot;
    this.wake();
  }

  /** Lets all who wait look again. */
  wake(): void {
    this.#renew().resolve();
  }

  /** Tells all who wait why there is none. */
  reject(error: AppError): void {
    this.#renew().reject(error);
  }

  close(): void {
    this.#isClosed = true;
    this.reject(closed());
  }

  #renew(): Deferred<void> {
    const before = this.#changed;
    this.#changed = deferred();
    return before;
  }
}

function closed(): AppError {
  return new AppError('UNAVAILABLE', 'the source is no longer followed');
}
