import type { PooledMedia } from '../upstream/pool/pooled-media.ts';
import { publicFailure } from './public-failure.ts';
import type { PublishedFile } from './published-files.ts';

/** What is fetched for it: a `PooledMedia` is one. */
export type FetchedMedia = Pick<PooledMedia, 'size' | 'ready' | 'pieces' | 'release'>;

/**
 * Something of a source that a player asked for; to be released by whoever got it. Everything rejects with an `AppError`
 * that tells nothing of the source's addresses, also when the signal aborts.
 */
export class RelayMedia {
  /** Its name, which is never used for other bytes. */
  readonly name: string;
  readonly contentType: string;
  /** A key must not be kept by anybody in between. */
  readonly isKey: boolean;
  /** How long playlists may name it, ms. */
  readonly listedMs: number;
  readonly #media: FetchedMedia;

  constructor({ name, type, item }: PublishedFile, media: FetchedMedia, listedMs: number) {
    this.name = name;
    this.contentType = type.contentType;
    this.isKey = item.kind === 'key';
    this.listedMs = listedMs;
    this.#media = media;
  }

  /** Waits for the first byte; from then on `size` stays as it is. */
  async ready(signal: AbortSignal): Promise<void> {
    await this.#media.ready(signal).catch(failPublicly);
  }

  /** Length in bytes, if it is known already. */
  get size(): number | undefined {
    return this.#media.size;
  }

  /** Length in bytes, once all of them are there. */
  async fullSize(signal: AbortSignal): Promise<number> {
    let size = 0;
    for await (const piece of this.pieces(signal)) size += piece.length;
    return size;
  }

  /** The bytes as they come. */
  async *pieces(signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    try {
      yield* this.#media.pieces(signal);
    } catch (error) {
      throw publicFailure(error);
    }
  }

  release(): void {
    this.#media.release();
  }
}

function failPublicly(error: unknown): never {
  throw publicFailure(error);
}
