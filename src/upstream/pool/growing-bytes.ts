import { AppError } from '../../util/errors.ts';

/** Bytes are kept in blocks, so that a server that sends them one by one costs no more memory than another. */
const BLOCK_BYTES = 64 * 1024;

/**
 * Bytes that come in one after the other and can be read from the start meanwhile, by any number of readers at their own
 * pace; nobody waits for them.
 */
export class GrowingBytes {
  readonly #waiters = new Set<() => void>();
  /** All but the last are full. */
  #blocks: Buffer[] = [];
  #length = 0;
  #state: 'loading' | 'done' | 'failed' = 'loading';
  #error: Error | undefined;
  #wasRead = false;

  get state(): 'loading' | 'done' | 'failed' {
    return this.#state;
  }

  /** Why it failed. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Bytes that are there. */
  get length(): number {
    return this.#length;
  }

  /** Memory that they take. */
  get heldBytes(): number {
    return Math.max(0, this.#blocks.length - 1) * BLOCK_BYTES + (this.#blocks.at(-1)?.length ?? 0);
  }

  /** Takes further bytes, which may be used otherwise afterwards; nothing once it has ended. */
  append(piece: Buffer): void {
    if (this.#state !== 'loading') return;
    for (let from = 0; from < piece.length;) {
      const at = this.#length % BLOCK_BYTES;
      const block = (at === 0 ? undefined : this.#blocks.at(-1)) ?? this.#newBlock();
      const copied = piece.copy(block, at, from);
      from += copied;
      this.#length += copied;
    }
    this.#wake();
  }

  /** Forgets what came so far, unless some of it has been read; tells whether it did. */
  reset(): boolean {
    if (this.#wasRead || this.#state !== 'loading') return false;
    this.#blocks = [];
    this.#length = 0;
    return true;
  }

  /** That was all. */
  finish(): void {
    if (this.#state !== 'loading') return;
    this.#state = 'done';
    const rest = this.#length % BLOCK_BYTES;
    const last = rest > 0 ? this.#blocks.pop() : undefined;
    if (last !== undefined) this.#blocks.push(Buffer.from(last.subarray(0, rest)));
    this.#wake();
  }

  /** Nothing more will come, and what came is dropped; its readers get the error. */
  fail(error: Error): void {
    if (this.#state !== 'loading') return;
    this.#state = 'failed';
    this.#error = error;
    this.#blocks = [];
    this.#wake();
  }

  /**
   * Waits for the first byte or for the end.
   * @throws the error it failed with; AppError `UNAVAILABLE` once `signal` aborts
   */
  async ready(signal?: AbortSignal): Promise<void> {
    while (this.#length === 0 && this.#state === 'loading') await this.#change(signal);
    if (this.#error !== undefined) throw this.#error;
    this.#wasRead = true;
  }

  /**
   * The bytes from the start, as they come.
   * @throws the error it failed with; AppError `UNAVAILABLE` once `signal` aborts
   */
  async *pieces(signal?: AbortSignal): AsyncGenerator<Buffer> {
    for (let offset = 0; ;) {
      if (this.#error !== undefined) throw this.#error;
      if (offset < this.#length) {
        this.#wasRead = true;
        const index = Math.floor(offset / BLOCK_BYTES);
        const start = index * BLOCK_BYTES;
        const block = this.#blocks[index] ?? Buffer.alloc(0);
        const piece = block.subarray(offset - start, Math.min(BLOCK_BYTES, this.#length - start));
        offset += piece.length;
        yield piece;
      } else if (this.#state === 'done') return;
      else await this.#change(signal);
    }
  }

  /**
   * All bytes in one piece, once they are there.
   * @throws the error it failed with; AppError `UNAVAILABLE` once `signal` aborts
   */
  async whole(signal?: AbortSignal): Promise<Buffer> {
    while (this.#state === 'loading') await this.#change(signal);
    if (this.#error !== undefined) throw this.#error;
    return this.content();
  }

  /** What is there now, in one piece. */
  content(): Buffer {
    const [first = Buffer.alloc(0)] = this.#blocks;
    return this.#blocks.length < 2
      ? first.subarray(0, this.#length)
      : Buffer.concat(this.#blocks).subarray(0, this.#length);
  }

  #newBlock(): Buffer {
    const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    this.#blocks.push(block);
    return block;
  }

  async #change(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted !== true) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiters.delete(wake);
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiters.add(wake);
        signal?.addEventListener('abort', wake, { once: true });
      });
    }
    if (signal?.aborted === true) throw new AppError('UNAVAILABLE', 'reading fetched media was aborted');
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake();
  }
}
