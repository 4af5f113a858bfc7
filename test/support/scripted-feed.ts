import type { OpenStream, StreamFeed } from '../../src/ingest/pull/stream-feed.ts';
import { UrlRotation } from '../../src/upstream/follow/url-rotation.ts';
import type { Clock } from '../../src/util/clock.ts';
import { AppError } from '../../src/util/errors.ts';

const PIECES_PER_SECOND = 20;
const BACKLOG_PIECE_BYTES = 16_384;

/** What one connection gives. */
export interface ScriptedConnection {
  readonly bytes: Buffer;
  /** How long it takes; 0: all of it is there at once. */
  readonly seconds: number;
  /** What comes after it: its end, an error, nothing for ever, or the same without end, at once. */
  readonly then: 'end' | 'break' | 'hang' | 'repeat';
  readonly isRecording?: boolean;
  /** Comes before all that, at once. */
  readonly backlog?: Buffer;
}

/** A feed whose connections are written down: each one that is opened is the next; `undefined` does not open. */
export class ScriptedFeed implements StreamFeed {
  readonly rotation: UrlRotation;
  /** The address of each connection that was asked for. */
  readonly opened: string[] = [];
  /** Connections that are open. */
  openCount = 0;
  closed = false;
  readonly #clock: Clock;
  readonly #connections: (ScriptedConnection | undefined)[];

  constructor(clock: Clock, connections: (ScriptedConnection | undefined)[], urls = ['test://first']) {
    this.#clock = clock;
    this.#connections = connections;
    this.rotation = new UrlRotation({ urls, failuresBeforeNext: 2, clock, random: () => 0 });
  }

  get label(): string {
    return this.rotation.current.url;
  }

  open(signal: AbortSignal): Promise<OpenStream> {
    this.opened.push(this.label);
    const connection = this.#connections.shift();
    if (connection === undefined) return Promise.reject(new AppError('UNAVAILABLE', 'it does not open'));
    this.openCount += 1;
    const over = new AbortController();
    signal.addEventListener('abort', () => over.abort());
    return Promise.resolve({
      isRecording: connection.isRecording === true,
      pieces: () => this.#pieces(connection, over.signal),
      close: () => {
        if (!over.signal.aborted || signal.aborted) this.openCount -= 1;
        over.abort();
        return Promise.resolve();
      },
    });
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  async *#pieces(connection: ScriptedConnection, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { backlog = Buffer.alloc(0), bytes, seconds, then } = connection;
    for (let at = 0; at < backlog.length; at += BACKLOG_PIECE_BYTES) {
      yield backlog.subarray(at, at + BACKLOG_PIECE_BYTES);
    }
    const count = Math.max(1, Math.round(seconds * PIECES_PER_SECOND), Math.ceil(bytes.length / 65_536));
    const startMs = this.#clock.nowMs();
    for (let index = 0; index < count; index += 1) {
      const dueMs = startMs + (index * seconds * 1_000) / count;
      if (dueMs > this.#clock.nowMs()) await this.#clock.wait(dueMs - this.#clock.nowMs(), signal);
      if (signal.aborted) return;
      yield bytes.subarray(
        Math.floor((index * bytes.length) / count),
        Math.floor(((index + 1) * bytes.length) / count),
      );
    }
    while (then === 'repeat' && !signal.aborted) yield bytes;
    if (then === 'break') throw new Error('ECONNRESET 10.0.0.1');
    if (then === 'hang') await this.#clock.wait(1e9, signal);
  }
}
