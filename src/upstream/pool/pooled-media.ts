import type { PoolEntry } from './pool-entry.ts';

/**
 * Where something came from when it was asked for: `memory` and `disk` = it was there; `flight` = it was on its way;
 * `network` = it is fetched because of this.
 */
export type MediaOrigin = 'memory' | 'disk' | 'flight' | 'network';

/** Something that was asked for, held until it is released. */
export class PooledMedia {
  readonly id: string;
  readonly origin: MediaOrigin;
  readonly #entry: PoolEntry;
  readonly #onRelease: () => void;
  #isReleased = false;

  /** See `SegmentPool.open()`. */
  constructor(entry: PoolEntry, origin: MediaOrigin, onRelease: () => void) {
    this.id = entry.id;
    this.origin = origin;
    this.#entry = entry;
    this.#onRelease = onRelease;
  }

  get state(): 'loading' | 'done' | 'failed' {
    return this.#entry.bytes.state;
  }

  /** Length in bytes, as soon as it is known. */
  get size(): number | undefined {
    return this.#entry.size;
  }

  /** Bytes that are there. */
  get loadedBytes(): number {
    return this.#entry.bytes.length;
  }

  /** As the server says; `undefined` before `ready()`. */
  get contentType(): string | undefined {
    return this.#entry.contentType;
  }

  /** Why it failed. */
  get error(): Error | undefined {
    return this.#entry.bytes.error;
  }

  /** Resolves when it is loaded or has failed, or is given up; never rejects. */
  get settled(): Promise<void> {
    return this.#entry.settled;
  }

  /**
   * Waits for the first byte: from then on `size` (if the server tells) and `contentType` are known and stay.
   * @throws UpstreamFailure if it cannot be fetched, AppError `UNAVAILABLE` once `signal` aborts
   */
  ready(signal?: AbortSignal): Promise<void> {
    return this.#entry.bytes.ready(signal);
  }

  /**
   * The bytes from the start, as they come; may be called again. They must not be changed.
   * @throws UpstreamFailure if it cannot be fetched, also after some bytes; AppError `UNAVAILABLE` once `signal` aborts
   */
  pieces(signal?: AbortSignal): AsyncIterable<Buffer> {
    return this.#entry.bytes.pieces(signal);
  }

  /**
   * All bytes, once they are there. They must not be changed.
   * @throws UpstreamFailure if it cannot be fetched, AppError `UNAVAILABLE` once `signal` aborts
   */
  whole(signal?: AbortSignal): Promise<Buffer> {
    return this.#entry.bytes.whole(signal);
  }

  /** Lets go of it; idempotent. What nobody holds is not fetched further, and may be forgotten. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#onRelease();
  }
}
