import { remoteUrl } from '../../../remote/remote-url.ts';
import { UpstreamFailure } from '../../../remote/upstream-failure.ts';
import type { Key } from '../../../upstream/playlist/key.ts';
import { decryptPieces, sequenceIv } from '../../../upstream/pool/decrypt.ts';
import type { KeyStore } from '../../../upstream/pool/key-store.ts';
import type { MediaItem } from '../../../upstream/pool/media-item.ts';
import type { PooledMedia } from '../../../upstream/pool/pooled-media.ts';
import type { SegmentPool } from '../../../upstream/pool/segment-pool.ts';
import type { SourceFetcher } from '../../../upstream/pool/source-fetcher.ts';
import { AppError } from '../../../util/errors.ts';
import type { FilmTrack } from './film-track.ts';
import { beginsWithBox, checkedStart } from './segment-start.ts';

/** Addresses that have run out answer so. */
const RUN_OUT = new Set([401, 403, 404, 410]);

/** What a film's segments are fetched with. */
export interface FilmReaderOptions {
  readonly fetcher: SourceFetcher;
  readonly pool: SegmentPool;
  readonly keys: KeyStore;
  /** The track as it is known now, and a name that nothing else in the pool has; other after each renewal. */
  readonly track: () => { readonly track: FilmTrack; readonly name: string };
  /** Looks for newer addresses of the same segments; true if there may be some. */
  readonly renew: () => Promise<boolean>;
}

/** Bytes that are wanted of a track. */
interface Wanted {
  readonly item: MediaItem;
  readonly key: Key | undefined;
  readonly iv: Buffer;
}

/** Reads one track of a film as one stream, decrypted: the segments one after the other, each fetched once for all readers. */
export class FilmReader {
  readonly #options: FilmReaderOptions;

  constructor(options: FilmReaderOptions) {
    this.#options = options;
  }

  /**
   * The bytes from a segment on to the end, with the initialisation section before them if there is one.
   * @throws AppError `BAD_MEDIA` for segments that are none, `UNAVAILABLE` if they cannot be fetched or `signal` aborts
   */
  async *read(first: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { length } = this.#options.track().track.segments;
    if (this.#options.track().track.container === 'mp4') yield* this.#part(() => this.#init(), undefined, signal);
    for (let index = first; index < length; index++) {
      const next = index + 1 < length ? index + 1 : undefined;
      yield* this.#part(() => this.#segment(index), next, signal);
    }
  }

  /** Reads something; once it comes, what is next is fetched as well. What fails before any byte came is tried once more. */
  async *#part(wanted: () => Wanted, next: number | undefined, signal: AbortSignal): AsyncGenerator<Buffer> {
    let ahead: PooledMedia | undefined;
    let hasBegun = false;
    try {
      for (let isLast = false; ; isLast = true) {
        try {
          for await (const piece of this.#pieces(wanted(), signal)) {
            hasBegun = true;
            if (next !== undefined) ahead ??= this.#open(this.#segment(next), 'prefetch', signal);
            yield piece;
          }
          return;
        } catch (thrown) {
          if (hasBegun || isLast || signal.aborted || !(await this.#mayTryAgain(wanted(), thrown))) throw thrown;
        }
      }
    } finally {
      ahead?.release();
    }
  }

  async *#pieces(wanted: Wanted, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { keys, fetcher } = this.#options;
    const { key, iv } = wanted;
    const media = this.#open(wanted, 'asked', signal);
    try {
      const bytes = media.pieces(signal);
      const { container } = this.#options.track().track;
      const isClear = wanted.item.kind === 'init' && beginsWithBox(await media.whole(signal));
      if (key?.uri === undefined || isClear) yield* checkedStart(bytes, container);
      else {
        const secret = await keys.key(remoteUrl(key.uri), fetcher, signal);
        yield* checkedStart(decryptPieces(bytes, { key: secret, iv }), container);
      }
    } finally {
      media.release();
    }
  }

  async #mayTryAgain({ key }: Wanted, thrown: unknown): Promise<boolean> {
    const { renew, keys, fetcher } = this.#options;
    if (thrown instanceof UpstreamFailure) return RUN_OUT.has(thrown.status ?? 0) && (await renew());
    if (key?.uri === undefined || !(thrown instanceof AppError) || thrown.code !== 'BAD_MEDIA') return false;
    keys.forget(remoteUrl(key.uri), fetcher);
    return true;
  }

  #open({ item }: Wanted, priority: 'asked' | 'prefetch', signal: AbortSignal): PooledMedia {
    const { pool, fetcher } = this.#options;
    return pool.open(item, fetcher, { priority, signal });
  }

  #init(): Wanted {
    const { track, name } = this.#options.track();
    const map = track.segments[0]?.map;
    if (map === undefined) throw new AppError('INTERNAL', 'a film of fMP4 has no initialisation section');
    const { uri, byteRange, key } = map;
    const item = { id: `${name}/init`, target: remoteUrl(uri), byteRange, durationMs: 0, kind: 'init' as const };
    return { item, key, iv: key?.iv ?? sequenceIv(0) };
  }

  #segment(index: number): Wanted {
    const { track, name } = this.#options.track();
    const segment = track.segments[index];
    if (segment === undefined) throw new AppError('INTERNAL', `the film has no segment ${index}`);
    const { uri, byteRange, durationMs, key, sequence } = segment;
    const item = { id: `${name}/${index}`, target: remoteUrl(uri), byteRange, durationMs, kind: 'segment' as const };
    return { item, key, iv: key?.iv ?? sequenceIv(sequence) };
  }
}
