import { parseRemoteUrl } from '../../../remote/remote-url.ts';
import { UpstreamFailure } from '../../../remote/upstream-failure.ts';
import { decryptPieces } from '../../../upstream/pool/decrypt.ts';
import type { KeyStore } from '../../../upstream/pool/key-store.ts';
import type { MediaItem } from '../../../upstream/pool/media-item.ts';
import type { PooledMedia } from '../../../upstream/pool/pooled-media.ts';
import type { SegmentPool } from '../../../upstream/pool/segment-pool.ts';
import type { SourceFetcher } from '../../../upstream/pool/source-fetcher.ts';
import { AppError } from '../../../util/errors.ts';
import type { FilmPiece, FilmTrack } from './film-track.ts';
import { beginsWithBox, checkedStart } from './segment-start.ts';

/** A track as it is known now. */
export interface KnownTrack {
  readonly track: FilmTrack;
  /** Nothing else in the pool has it; another one after each renewal. */
  readonly name: string;
}

/** What a film's segments are fetched with. */
export interface FilmReaderOptions {
  readonly fetcher: SourceFetcher;
  readonly pool: SegmentPool;
  readonly keys: KeyStore;
  readonly known: KnownTrack;
  /** Looks for newer addresses of the same segments than these; `undefined` if there are none. */
  readonly renew: (known: KnownTrack) => Promise<KnownTrack | undefined>;
}

/** Reads one track of a film as one stream, decrypted: the segments one after the other, each fetched once for all readers. */
export class FilmReader {
  readonly #options: FilmReaderOptions;
  #known: KnownTrack;

  constructor(options: FilmReaderOptions) {
    this.#options = options;
    this.#known = options.known;
  }

  /**
   * The bytes from a segment on to the end, with the initialization section before them if there is one.
   * @throws AppError `BAD_MEDIA` for segments that are none, `UNAVAILABLE` if they cannot be fetched or `signal` aborts
   */
  async *read(first: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { segments, init } = this.#known.track;
    const ahead = new Ahead();
    try {
      if (init !== undefined) yield* this.#part('init', ahead, signal);
      for (let index = first; index < segments.length; index++) yield* this.#part(index, ahead, signal);
    } finally {
      ahead.close();
    }
  }

  /** Reads something; once it is there, what is next is fetched. What fails before any byte came is tried once more. */
  async *#part(place: number | 'init', ahead: Ahead, signal: AbortSignal): AsyncGenerator<Buffer> {
    for (let hasBegun = false, isLast = false; ; isLast = true) {
      const media = this.#open(place, 'asked', signal);
      ahead.hold(undefined);
      try {
        const fetchNext = (): void => {
          const next = place === 'init' ? undefined : place + 1;
          const isWanted = media.state === 'done' && next !== undefined && next < this.#known.track.segments.length;
          if (isWanted && ahead.isOpen) ahead.hold(this.#open(next, 'prefetch', signal));
        };
        // A pool that is closed in this moment says so to whoever asks next.
        media.settled.then(fetchNext).catch(() => undefined);
        for await (const piece of this.#pieces(place, media, signal)) {
          hasBegun = true;
          yield piece;
        }
        return;
      } catch (thrown) {
        if (hasBegun || isLast || signal.aborted || !(await this.#mayTryAgain(place, thrown))) throw thrown;
      } finally {
        media.release();
      }
    }
  }

  async *#pieces(place: number | 'init', media: PooledMedia, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { keys, fetcher } = this.#options;
    const { key } = this.#piece(place);
    const bytes = media.pieces(signal);
    const container = this.#known.track.init === undefined ? 'mpegts' : 'mp4';
    const isClear = key === undefined || (place === 'init' && beginsWithBox(await media.whole(signal)));
    if (isClear) yield* checkedStart(bytes, container);
    else {
      const secret = await keys.key(parseRemoteUrl(key.href), fetcher, signal);
      yield* checkedStart(decryptPieces(bytes, { key: secret, iv: key.iv }), container);
    }
  }

  async #mayTryAgain(place: number | 'init', thrown: unknown): Promise<boolean> {
    const { renew, keys, fetcher } = this.#options;
    if (thrown instanceof UpstreamFailure) {
      const renewed = thrown.hasRunOut ? await renew(this.#known) : undefined;
      this.#known = renewed ?? this.#known;
      return renewed !== undefined;
    }
    const { key } = this.#piece(place);
    if (key === undefined || !(thrown instanceof AppError) || thrown.code !== 'BAD_MEDIA') return false;
    keys.forget(parseRemoteUrl(key.href), fetcher);
    return true;
  }

  #open(place: number | 'init', priority: 'asked' | 'prefetch', signal: AbortSignal): PooledMedia {
    const { pool, fetcher } = this.#options;
    const { href, byteRange, durationMs } = this.#piece(place);
    const item: MediaItem = {
      ...{ id: `${this.#known.name}/${place}`, target: parseRemoteUrl(href), byteRange, durationMs },
      kind: place === 'init' ? 'init' : 'segment',
    };
    return pool.open(item, fetcher, { priority, signal });
  }

  #piece(place: number | 'init'): FilmPiece {
    const { segments, init } = this.#known.track;
    const piece = place === 'init' ? init : segments[place];
    if (piece === undefined) throw new AppError('INTERNAL', `the film has no piece ${place}`);
    return piece;
  }
}

/** What is fetched before it is asked for; held until it is. */
class Ahead {
  isOpen = true;
  #media: PooledMedia | undefined;

  hold(media: PooledMedia | undefined): void {
    this.#media?.release();
    this.#media = media;
  }

  close(): void {
    this.isOpen = false;
    this.hold(undefined);
  }
}
