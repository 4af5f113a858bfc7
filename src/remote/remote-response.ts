import type { Readable } from 'node:stream';
import { UpstreamFailure } from './upstream-failure.ts';

/** What an answer is made of. */
interface RemoteAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable;
  /** Where it came from in the end, redirects followed. */
  readonly url: URL;
  /** A longer body ends with an error. */
  readonly maxBytes?: number | undefined;
}

/** An answer of a web server whose body is still to be read. */
export class RemoteResponse {
  readonly status: number;
  /** Where it came from in the end, redirects followed. May hold a secret. */
  readonly url: URL;
  readonly #answer: RemoteAnswer;

  /** @param onEnd called once when the body has ended, however it has */
  constructor(answer: RemoteAnswer, onEnd: () => void) {
    this.status = answer.status;
    this.url = answer.url;
    this.#answer = answer;
    // A body that fails while nobody reads it must not end the program.
    answer.body.on('error', () => undefined).once('close', onEnd);
  }

  /** The first value of a header; its name in lower case. */
  header(name: string): string | undefined {
    const value = this.#answer.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** Length of the body as announced, if it is. */
  get lengthBytes(): number | undefined {
    const text = this.header('content-length')?.trim() ?? '';
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  }

  /**
   * The body piece by piece, as fast as it is asked for. To be taken once.
   * @throws Error if the connection breaks, is too slow or is aborted; never ends early without one. `failureKind()` tells
   *   which; `too-large` if there is more of it than was asked for
   */
  pieces(): AsyncIterable<Buffer> {
    const { body, maxBytes } = this.#answer;
    return maxBytes === undefined ? (body as AsyncIterable<Buffer>) : limited(body as AsyncIterable<Buffer>, maxBytes);
  }

  /** Drops what is left of the body; idempotent. */
  close(): void {
    this.#answer.body.destroy();
  }
}

async function* limited(pieces: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    yield piece;
  }
}

/** What is larger than it may be. */
export function tooLarge(maxBytes: number): UpstreamFailure {
  return new UpstreamFailure('too-large', `the answer of the web server is larger than ${maxBytes} bytes`);
}
