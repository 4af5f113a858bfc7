/** How a `MediaInbox` is wired. */
interface MediaInboxOptions<T> {
  /** Bytes that may wait before the source is paused, each chunk counted with its overhead. */
  readonly maxBytes: number;
  /** Turns the next bytes into what they complete. */
  readonly read: (piece: Buffer) => readonly T[];
  readonly use: (item: T) => void;
  readonly pause: () => void;
  readonly resume: () => void;
  /** Called once with whatever `read` or `use` threw; the inbox is closed then. */
  readonly fail: (error: unknown) => void;
  /** Called each time that nothing waits any more. */
  readonly emptied: () => void;
}

/** Bytes that are read at once, and items that are used in one turn of the event loop: a few ms of work. */
const PIECE_BYTES = 64 * 1024;
/** Memory that a chunk takes besides its bytes, so that a million chunks of one byte count as what they cost. */
const CHUNK_OVERHEAD_BYTES = 256;
const ITEMS_PER_TURN = 256;

/**
 * Takes a publisher's bytes as they come and works them off in small turns, so that a burst of media holds up no other
 * broadcast; pauses the source while too much waits.
 */
export class MediaInbox<T> {
  readonly #options: MediaInboxOptions<T>;
  #chunks: Buffer[] = [];
  #waitingBytes = 0;
  #items: readonly T[] = [];
  #nextItem = 0;
  #held = false;
  #paused = false;
  #scheduled = false;
  #closed = false;

  constructor(options: MediaInboxOptions<T>) {
    this.#options = options;
  }

  /** Bytes that wait to be read. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** True if nothing waits to be read or used. */
  get empty(): boolean {
    return this.#waitingBytes === 0 && this.#nextItem >= this.#items.length;
  }

  /** Takes bytes; they must not change afterwards. Ignored after `close()`. */
  put(chunk: Buffer): void {
    if (this.#closed || chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#waitingBytes += chunk.length;
    if (!this.#held && !this.#scheduled) this.#turn();
    this.#regulate();
  }

  /** Keeps everything waiting until `release()`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    if (!this.#scheduled) this.#turn();
    this.#regulate();
  }

  /** Forgets what waits and takes nothing more. */
  close(): void {
    this.#closed = true;
    this.#chunks = [];
    this.#items = [];
    this.#nextItem = 0;
    this.#waitingBytes = 0;
  }

  #turn(): void {
    try {
      for (let left = ITEMS_PER_TURN; left > 0 && !this.empty;) left -= this.#step();
    } catch (error) {
      this.close();
      this.#options.fail(error);
    }
    if (this.empty) {
      this.#options.emptied();
      return;
    }
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#turn();
      this.#regulate();
    });
  }

  /** Uses one item or reads one piece; returns how much work that was, in items. */
  #step(): number {
    const item = this.#items[this.#nextItem];
    if (item !== undefined) {
      this.#nextItem += 1;
      this.#options.use(item);
      return 1;
    }
    this.#nextItem = 0;
    this.#items = this.#options.read(this.#takePiece());
    return 8;
  }

  #takePiece(): Buffer {
    const [chunk = Buffer.alloc(0)] = this.#chunks;
    const piece = chunk.subarray(0, PIECE_BYTES);
    if (piece.length < chunk.length) this.#chunks[0] = chunk.subarray(PIECE_BYTES);
    else this.#chunks.shift();
    this.#waitingBytes -= piece.length;
    return piece;
  }

  /** Pauses above the limit and resumes below half of it. */
  #regulate(): void {
    const { maxBytes, pause, resume } = this.#options;
    const cost = this.#waitingBytes + this.#chunks.length * CHUNK_OVERHEAD_BYTES;
    if (!this.#paused && cost > maxBytes) {
      this.#paused = true;
      pause();
    } else if (this.#paused && cost <= maxBytes / 2) {
      this.#paused = false;
      resume();
    }
  }
}
