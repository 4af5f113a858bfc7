import { createHash } from 'node:crypto';
import type { LoopbackRelay } from '../../remote/loopback-relay.ts';
import type { RemoteClient } from '../../remote/remote-client.ts';
import { RemoteFile } from '../../remote/remote-file.ts';
import { inspectRemote, type RemoteFacts } from '../../remote/remote-range.ts';
import { parseRemoteUrl } from '../../remote/remote-url.ts';
import type { ByteSource } from '../../util/byte-source.ts';
import { relayInput } from './input-options.ts';
import type { FfmpegInput, MediaSource } from './media-source.ts';

/** How web servers are reached, and how ffmpeg reads from them. Both stay the owner's, who closes them. */
export interface RemoteAccess {
  readonly client: RemoteClient;
  readonly relay: LoopbackRelay;
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

  private constructor(access: RemoteAccess, facts: RemoteFacts) {
    const { target, sizeBytes } = facts;
    this.label = target.label;
    this.identity = identityOf(facts);
    this.sizeBytes = sizeBytes;
    this.#access = access;
    this.#facts = facts;
  }

  /**
   * Asks the web server for the file.
   * @throws AppError `BAD_REQUEST` for a bad address, `FORBIDDEN` for one that may not be fetched, `BAD_MEDIA` if the
   *   server serves no parts of files or the file is empty, `UNAVAILABLE` if the server cannot be reached
   */
  static async open(access: RemoteAccess, address: string, signal?: AbortSignal): Promise<RemoteSource> {
    return new RemoteSource(access, await inspectRemote(access.client, parseRemoteUrl(address), signal));
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
