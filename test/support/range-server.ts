import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a request was answered with. */
export interface SeenRequest {
  readonly path: string;
  readonly range: string | undefined;
  readonly headers: http.IncomingHttpHeaders;
}

/** Answers instead of the server; what returns false leaves the answer to it. */
export type Trick = (request: http.IncomingMessage, response: http.ServerResponse) => unknown;

/** A web server that serves one file in parts at every path, until a test gives it a trick. */
export class RangeServer {
  readonly seen: SeenRequest[] = [];
  trick: Trick = () => false;
  etag = '"v1"';
  readonly #server = http.createServer((request, response) => this.#answer(request, response));
  #bytes: Buffer;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  static async start(bytes: Buffer): Promise<RangeServer> {
    const server = new RangeServer(bytes);
    await once(server.#server.listen(0, '127.0.0.1'), 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(path = '/film.mp4', host = '127.0.0.1'): string {
    return `http://${host}:${this.port}${path}`;
  }

  /** How many connections are open. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }

  replace(bytes: Buffer, etag: string): void {
    this.#bytes = bytes;
    this.etag = etag;
  }

  /** Serves the part that is asked for; `cutAfter` bytes of it, then the connection breaks. */
  serve(request: http.IncomingMessage, response: http.ServerResponse, cutAfter = Infinity): void {
    const bytes = this.#bytes;
    const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const ifRange = request.headers['if-range'];
    if (match === null || (ifRange !== undefined && ifRange !== this.etag)) {
      response.writeHead(200, { etag: this.etag, 'content-length': bytes.length }).end(bytes);
      return;
    }
    const start = Number(match[1]);
    const end = match[2] === '' ? bytes.length - 1 : Math.min(Number(match[2]), bytes.length - 1);
    if (start > end) {
      response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
      return;
    }
    const part = bytes.subarray(start, end + 1);
    const headers = { 'content-range': `bytes ${start}-${end}/${bytes.length}`, 'content-length': part.length };
    response.writeHead(206, { etag: this.etag, ...headers });
    if (cutAfter >= part.length) response.end(part);
    else response.write(part.subarray(0, cutAfter), () => response.destroy());
  }

  async close(): Promise<void> {
    const closed = once(this.#server.close(), 'close');
    this.#server.closeAllConnections();
    await closed;
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    this.seen.push({ path: request.url ?? '', range: request.headers.range, headers: request.headers });
    if (this.trick(request, response) === false) this.serve(request, response);
  }
}
