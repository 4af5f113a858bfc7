import type { Readable } from 'node:stream';

/** An answer of a web server whose body is still to be read. */
export class RemoteResponse {
  readonly status: number;
  readonly #headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly #body: Readable;

  /** @param onEnd called once when the body has ended, however it has */
  constructor(
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    body: Readable,
    onEnd: () => void,
  ) {
    this.status = status;
    this.#headers = headers;
    this.#body = body;
    // A body that fails while nobody reads it must not end the program.
    body.on('error', () => undefined).once('close', onEnd);
  }

  /** The first value of a header; its name in lower case. */
  header(name: string): string | undefined {
    const value = this.#headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /**
   * The body piece by piece, as fast as it is asked for. To be taken once.
   * @throws Error if the connection breaks, is too slow or is aborted; never ends early without one
   */
  pieces(): AsyncIterable<Buffer> {
    return this.#body as AsyncIterable<Buffer>;
  }

  /** Drops what is left of the body; idempotent. */
  close(): void {
    this.#body.destroy();
  }
}
