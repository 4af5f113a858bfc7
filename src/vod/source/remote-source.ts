import { createHash } from 'node:crypto';
import type { LoopbackRelay } from '../../remote/loopback-relay.ts';
import type { RemoteClient } from '../../remote/remote-client.ts';
import { RemoteFile } from '../../remote/remote-file.ts';
import type { RemoteFacts } from '../../remote/remote-range.ts';
import type { KeyStore } from '../../upstream/pool/key-store.ts';
import type { SegmentPool } from '../../upstream/pool/segment-pool.ts';
import type { ByteSource } from '../../util/byte-source.ts';
import type { Clock } from '../../util/clock.ts';
import { relayInput } from './input-options.ts';
import type { FfmpegInput, MediaSource } from './media-source.ts';

/** How web servers are reached, and how ffmpeg reads from them. All stay the owner's, who closes them. */
export interface RemoteAccess {
  readonly client: RemoteClient;
  readonly relay: LoopbackRelay;
  /** Holds segments of playlists for all who read them at the same time. */
  readonly pool: SegmentPool;
  /** Keys of such segments. */
  readonly keys: KeyStore;
  readonly clock: Clock;
}

/**
 * A file on a web server. Its identity is a hash over the address with query and credentials, size, and entity tag or
 * modification time.
 */
export class RemoteSource implements MediaSource {
  readonly kind = 'http';
  readonly label: string;
  readonly identity: string;
  readonly sizeBytes: number;
  readonly #access: RemoteAccess;
  readonly #facts: RemoteFacts;

  /** @param facts see `lookAtRemote()` */
  constructor(access: RemoteAccess, facts: RemoteFacts) {
    const { target, sizeBytes } = facts;
    this.label = target.label;
    this.identity = identityOf(facts);
    this.sizeBytes = sizeBytes;
    this.#access = access;
    this.#facts = facts;
  }

  async openInput(): Promise<FfmpegInput> {
    const relayed = await this.#access.relay.register(this.#facts);
    return relayInput(relayed.url, () => relayed.release());
  }

  openBytes(): Promise<ByteSource> {
    return Promise.resolve(new RemoteFile(this.#access.client, this.#facts));
  }
}

function identityOf({ target, sizeBytes, etag, lastModified }: RemoteFacts): string {
  const parts = [target.url.href, target.authorization ?? '', sizeBytes, etag ?? lastModified ?? ''];
  return `http:${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}`;
}
