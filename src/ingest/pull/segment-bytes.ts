import { type RemoteUrl, remoteUrl } from '../../remote/remote-url.ts';
import type { FollowedSegment } from '../../upstream/follow/playlist-snapshot.ts';
import type { Key } from '../../upstream/playlist/key.ts';
import { decryptPieces, sequenceIv } from '../../upstream/pool/decrypt.ts';
import type { KeyStore } from '../../upstream/pool/key-store.ts';
import type { MediaItem } from '../../upstream/pool/media-item.ts';
import type { PooledMedia } from '../../upstream/pool/pooled-media.ts';
import type { SourceFetcher } from '../../upstream/pool/source-fetcher.ts';
import { AppError } from '../../util/errors.ts';
import { ProtectedMediaError } from './protected-media.ts';

interface SegmentBytesOptions {
  readonly ask: (item: MediaItem, options: { readonly signal: AbortSignal }) => PooledMedia;
  readonly keys: KeyStore;
  readonly fetcher: SourceFetcher;
  readonly signal: AbortSignal;
}

/** Fetches what segments hold, decrypted. */
export class SegmentBytes {
  readonly #options: SegmentBytesOptions;
  /** The newest initialization section, by the id of its item. */
  #init: { readonly id: string; readonly bytes: Buffer } | undefined;

  constructor(options: SegmentBytesOptions) {
    this.#options = options;
  }

  /**
   * The initialization section of a segment, if it has one.
   * @throws as `pieces()`
   */
  async init({ init: item, segment }: FollowedSegment): Promise<Buffer | undefined> {
    if (item === undefined) return undefined;
    if (this.#init?.id === item.id) return this.#init.bytes;
    const pieces: Buffer[] = [];
    for await (const piece of this.#clear(item, segment.map?.key, segment.sequence)) pieces.push(piece);
    this.#init = { id: item.id, bytes: Buffer.concat(pieces) };
    return this.#init.bytes;
  }

  /**
   * A segment's bytes as they come.
   * @throws ProtectedMediaError if they cannot be decrypted here, AppError `BAD_MEDIA` if the key is wrong,
   *   UpstreamFailure if they cannot be fetched; also after some bytes
   */
  pieces({ item, segment }: FollowedSegment): AsyncIterable<Buffer> {
    return this.#clear(item, segment.key, segment.sequence);
  }

  async *#clear(item: MediaItem, key: Key | undefined, sequence: number): AsyncGenerator<Buffer> {
    const { ask, signal } = this.#options;
    const lock = key && lockOf(key, sequence);
    const media = ask(item, { signal });
    try {
      if (lock === undefined) yield* media.pieces(signal);
      else yield* this.#decrypted(media, lock);
    } finally {
      media.release();
    }
  }

  /** A key that does not fit is fetched once more: it may have been exchanged under its address. */
  async *#decrypted(media: PooledMedia, { target, iv }: Lock): AsyncGenerator<Buffer> {
    const { keys, fetcher, signal } = this.#options;
    let handedOn = false;
    const decrypt = async function* (): AsyncGenerator<Buffer> {
      const plain = decryptPieces(media.pieces(signal), { key: await keys.key(target, fetcher, signal), iv });
      for await (const piece of plain) {
        handedOn = true;
        yield piece;
      }
    };
    try {
      yield* decrypt();
    } catch (thrown) {
      const mayBeKey = thrown instanceof AppError && thrown.code === 'BAD_MEDIA' && !handedOn;
      if (!mayBeKey) throw thrown;
      keys.forget(target, fetcher);
      yield* decrypt();
    }
  }
}

/** Where the key is, and the initialization vector. */
interface Lock {
  readonly target: RemoteUrl;
  readonly iv: Buffer;
}

/** Only whole segments encrypted with a key that is fetched as it is. */
function lockOf({ method, keyFormat, uri, iv }: Key, sequence: number): Lock {
  if (method !== 'AES-128' || keyFormat !== 'identity' || uri === undefined) {
    throw new ProtectedMediaError(keyFormat === 'identity' ? method : `${method} (${keyFormat})`);
  }
  return { target: remoteUrl(uri), iv: iv ?? sequenceIv(sequence) };
}
