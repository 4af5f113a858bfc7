interface Job {
  readonly bytes: number;
  readonly run: () => Promise<void>;
}

/** Runs writes one after the other, in order; what waits is bounded in bytes, so that a slow disk holds up nobody. */
export class WriteQueue {
  readonly #maxBytes: number;
  readonly #waiting: Job[] = [];
  #bytes = 0;
  #running: Promise<void> | undefined;

  /** @param maxBytes what may wait or be under way at a time */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that wait or are being written. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds a write of so many bytes; false if the queue is full, and then `run` is never called. `run` must not reject.
   * One larger than the whole queue is taken if nothing else waits.
   */
  push(bytes: number, run: () => Promise<void>): boolean {
    if (this.#bytes > 0 && this.#bytes + bytes > this.#maxBytes) return false;
    this.#bytes += bytes;
    this.#waiting.push({ bytes, run });
    this.#running ??= this.#work();
    return true;
  }

  /** Resolves when everything that waits now is done. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({
        bytes: 0,
        run: () => {
          resolve();
          return Promise.resolve();
        },
      });
      this.#running ??= this.#work();
    });
  }

  async #work(): Promise<void> {
    for (let job = this.#waiting.shift(); job !== undefined; job = this.#waiting.shift()) {
      await job.run();
      this.#bytes -= job.bytes;
    }
    this.#running = undefined;
  }
}
