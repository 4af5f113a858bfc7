import { untilAborted } from '../util/abort.ts';
import type { ByteSource } from '../util/byte-source.ts';
import { AppError } from '../util/errors.ts';
import type { RemoteClient } from './remote-client.ts';
import { openRange, type RemoteFacts } from './remote-range.ts';

const BLOCK_BYTES = 256 * 1024;
const KEPT_BLOCKS = 4;
const MAX_TRIES = 3;
const BASE_TIMEOUT_MS = 15_000;
const SLOWEST_BYTES_PER_MS = 128;

/**
 * A file on a web server, read in blocks of 256 KiB of which the last 4 are kept; a longer part is fetched at once. A
 * connection that breaks is taken up where it broke, a few times.
 */
export class RemoteFile implements ByteSource {
  readonly sizeBytes: number;
  readonly #client: RemoteClient;
  readonly #facts: RemoteFacts;
  /** By index, the one used last at the end. */
  readonly #blocks = new Map<number, Promise<Buffer>>();
  readonly #closed = new AbortController();

  /** @param facts see `inspectRemote()` */
  constructor(client: RemoteClient, facts: RemoteFacts) {
    this.#client = client;
    this.#facts = facts;
    this.sizeBytes = facts.sizeBytes;
  }

  async read(offset: number, length: number, signal?: AbortSignal): Promise<Buffer> {
    const end = Math.min(offset + length, this.sizeBytes);
    if (offset >= end) return Buffer.alloc(0);
    if (end - offset > BLOCK_BYTES) {
      const either = signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]);
      return this.#fetch(offset, end, either);
    }
    const first = Math.floor(offset / BLOCK_BYTES);
    const last = Math.floor((end - 1) / BLOCK_BYTES);
    const blocks: Buffer[] = [];
    for (let index = first; index <= last; index++)
      blocks.push(await untilAborted(this.#block(index), signal, aborted));
    return Buffer.concat(blocks).subarray(offset - first * BLOCK_BYTES, end - first * BLOCK_BYTES);
  }

  close(): Promise<void> {
    this.#closed.abort();
    this.#blocks.clear();
    return Promise.resolve();
  }

  #block(index: number): Promise<Buffer> {
    const start = index * BLOCK_BYTES;
    const block =
      this.#blocks.get(index) ?? this.#fetch(start, Math.min(start + BLOCK_BYTES, this.sizeBytes), this.#closed.signal);
    this.#blocks.delete(index);
    this.#blocks.set(index, block);
    block.catch(() => {
      if (this.#blocks.get(index) === block) this.#blocks.delete(index);
    });
    for (const oldest of [...this.#blocks.keys()].slice(0, -KEPT_BLOCKS)) this.#blocks.delete(oldest);
    return block;
  }

  async #fetch(start: number, end: number, signal: AbortSignal): Promise<Buffer> {
    const bytes = Buffer.alloc(end - start);
    let done = 0;
    for (let tries = 1; ; tries++) {
      const left = bytes.length - done;
      const timeoutMs = BASE_TIMEOUT_MS + left / SLOWEST_BYTES_PER_MS;
      const part = await openRange(this.#client, this.#facts, { start: start + done, end: end - 1, timeoutMs, signal });
      try {
        for await (const piece of part.pieces()) done += piece.copy(bytes, done);
        return bytes;
      } catch (thrown) {
        if (signal.aborted || tries === MAX_TRIES) {
          throw this.#client.failed(this.#facts.target, thrown);
        }
      } finally {
        part.close();
      }
    }
  }
}

function aborted(): AppError {
  return new AppError('UNAVAILABLE', 'reading the source was aborted');
}
