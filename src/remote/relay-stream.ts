import type { ServerResponse } from 'node:http';
import type { Clock } from '../util/clock.ts';
import { AppError } from '../util/errors.ts';
import type { RemoteClient } from './remote-client.ts';
import { openRange, type RemoteFacts, type RemotePart } from './remote-range.ts';

/** A reader that takes nothing for so long costs the web server no connection. */
const PARK_MS = 3_000;
/** Without a byte for so long, the web server is given up. */
const GIVE_UP_MS = 8_000;
const RETRY_MS = 500;
/** A web server that sends less than this in that time, while it may send, is given up. */
const SLOWEST_BYTES = 64 * 1024;
const PACE_MS = 30_000;

/** One reader of a relayed file and where it gets its bytes. */
export interface RelayStreamOptions {
  readonly client: RemoteClient;
  readonly clock: Clock;
  readonly facts: RemoteFacts;
  /** First and last byte to be sent. */
  readonly start: number;
  readonly end: number;
  readonly response: ServerResponse;
  /** Sends the headers; called with the first bytes. */
  readonly begin: () => void;
  /** Ends the stream when it aborts. */
  readonly released: AbortSignal;
}

/**
 * Sends a part of a remote file as fast as its reader takes it. A broken connection to the web server is taken up where it
 * broke, and one that its reader does not need for a while is given back and opened anew.
 */
export class RelayStream {
  readonly #options: RelayStreamOptions;
  readonly #over = new AbortController();
  #at: number;
  #lastByteMs: number;

  constructor(options: RelayStreamOptions) {
    this.#options = options;
    this.#at = options.start;
    this.#lastByteMs = options.clock.nowMs();
  }

  /** Resolves when the reader has all, or neither reader nor web server will go on; never rejects. */
  async run(): Promise<void> {
    const { response, released, end } = this.#options;
    const stop = (): void => this.#over.abort();
    response.once('close', stop).on('error', stop);
    released.addEventListener('abort', stop, { once: true });
    if (released.aborted) stop();
    while (this.#at <= end && !this.#over.signal.aborted && (await this.#continue()));
    released.removeEventListener('abort', stop);
    if (this.#at > end) response.end();
    else if (response.headersSent) response.destroy();
    else response.writeHead(502, { 'content-length': 0 }).end();
  }

  /** Reads on from one connection; tells whether another one may be tried after it. */
  async #continue(): Promise<boolean> {
    const { client, clock, facts, end } = this.#options;
    const { signal } = this.#over;
    let part: RemotePart | undefined;
    try {
      part = await openRange(client, facts, { start: this.#at, end, signal });
      await this.#copy(part);
      return true;
    } catch (thrown) {
      const isFinal = thrown instanceof AppError && thrown.code !== 'UNAVAILABLE';
      if (isFinal || clock.nowMs() - this.#lastByteMs > GIVE_UP_MS) return false;
      part?.close();
      await clock.wait(RETRY_MS, signal);
      return true;
    } finally {
      part?.close();
    }
  }

  async #copy(part: RemotePart): Promise<void> {
    const { response, begin, clock } = this.#options;
    let paceMs = clock.nowMs();
    let paceBytes = 0;
    for await (const piece of part.pieces()) {
      if (!response.headersSent) begin();
      this.#at += piece.length;
      this.#lastByteMs = clock.nowMs();
      paceBytes += piece.length;
      if (this.#lastByteMs - paceMs > PACE_MS || paceBytes > SLOWEST_BYTES) {
        if (paceBytes < SLOWEST_BYTES) throw new AppError('BAD_MEDIA', 'the web server is too slow');
        paceMs = this.#lastByteMs;
        paceBytes = 0;
      }
      if (response.write(piece)) continue;
      const isParked = !(await this.#drained(PARK_MS));
      if (isParked) part.close();
      if (isParked) await this.#drained();
      this.#lastByteMs = clock.nowMs();
      paceMs = this.#lastByteMs;
      if (isParked || this.#over.signal.aborted) return;
    }
  }

  /** Waits until the reader takes more, or is gone; tells whether that was within the time. */
  async #drained(withinMs?: number): Promise<boolean> {
    const { response, clock } = this.#options;
    const waited = new AbortController();
    const { signal } = this.#over;
    let onDrain!: () => void;
    const drained = new Promise<true>((resolve) => {
      onDrain = () => resolve(true);
      response.once('drain', onDrain);
      signal.addEventListener('abort', onDrain, { once: true });
      if (signal.aborted) onDrain();
    });
    const limit = withinMs === undefined ? [] : [clock.wait(withinMs, waited.signal).then(() => false)];
    const isDrained = await Promise.race([drained, ...limit]);
    waited.abort();
    response.off('drain', onDrain);
    signal.removeEventListener('abort', onDrain);
    return isDrained || !response.writableNeedDrain;
  }
}
