import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '../util/clock.ts';
import type { Closable } from '../util/closer.ts';
import { AppError } from '../util/errors.ts';
import { RelayStream } from './relay-stream.ts';
import type { RemoteClient } from './remote-client.ts';
import type { RemoteFacts } from './remote-range.ts';

const TOKEN_BYTES = 24;
const MAX_CONNECTIONS = 512;

/** How the relay works. */
export interface LoopbackRelayOptions {
  readonly client: RemoteClient;
  readonly clock?: Clock;
  /** Readers at a time; more are answered with 503. 128 if left out. */
  readonly maxStreams?: number;
}

/** A remote file at an address on loopback. */
export interface RelayedFile {
  /** Nobody can guess it. */
  readonly url: string;
  /** Ends the address and whatever is still read from it; idempotent. */
  release(): void;
}

/**
 * Serves remote files on loopback to programs that must not reach the network by themselves: all they get to see is the
 * bytes of the file they were given, whatever the web server answers. Starts with its first file.
 */
export class LoopbackRelay implements Closable {
  readonly #client: RemoteClient;
  readonly #clock: Clock;
  readonly #maxStreams: number;
  readonly #files = new Map<string, SharedFile>();
  readonly #server: http.Server;
  #streams = 0;
  #listening: Promise<unknown> | undefined;
  #closing: Promise<void> | undefined;

  constructor({ client, clock = systemClock, maxStreams = 128 }: LoopbackRelayOptions) {
    this.#client = client;
    this.#clock = clock;
    this.#maxStreams = maxStreams;
    this.#server = http.createServer({ keepAlive: false }, (request, response) => void this.#serve(request, response));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** How many readers there are. */
  get streams(): number {
    return this.#streams;
  }

  /**
   * Gives a file an address until it is released.
   * @throws AppError `UNAVAILABLE` if the relay is closed or cannot listen
   */
  async register(facts: RemoteFacts): Promise<RelayedFile> {
    this.#listening ??= once(this.#server.listen(0, '127.0.0.1'), 'listening');
    await this.#listening.catch(() => undefined);
    const address = this.#server.address() as AddressInfo | null;
    if (this.#closing !== undefined || address === null) {
      throw new AppError('UNAVAILABLE', 'remote files cannot be relayed: the relay does not listen');
    }
    const token = randomBytes(TOKEN_BYTES).toString('hex');
    const released = new AbortController();
    this.#files.set(token, { facts, released });
    return {
      url: `http://127.0.0.1:${address.port}/${token}`,
      release: () => {
        this.#files.delete(token);
        released.abort();
      },
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    for (const { released } of this.#files.values()) released.abort();
    this.#files.clear();
    if (this.#listening === undefined) return;
    await this.#listening.catch(() => undefined);
    if (!this.#server.listening) return;
    const closed = once(this.#server.close(), 'close');
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const file = this.#files.get(request.url?.slice(1) ?? '');
    const { method } = request;
    const range = file && parseRange(request.headers.range, file.facts.sizeBytes);
    if (file === undefined) refuse(response, 404);
    else if (method !== 'GET' && method !== 'HEAD') refuse(response, 405);
    else if (range === undefined) refuse(response, 416, { 'content-range': `bytes */${file.facts.sizeBytes}` });
    else if (method === 'HEAD') response.writeHead(...headOf(file.facts, range)).end();
    else if (this.#streams >= this.#maxStreams) refuse(response, 503);
    else await this.#stream(file, range, response);
  }

  async #stream({ facts, released }: SharedFile, range: ByteRange, response: http.ServerResponse): Promise<void> {
    this.#streams += 1;
    try {
      const stream = new RelayStream({
        ...{ client: this.#client, clock: this.#clock, facts, response, released: released.signal },
        ...{ start: range.start, end: range.end, begin: () => response.writeHead(...headOf(facts, range)) },
      });
      await stream.run();
    } finally {
      this.#streams -= 1;
    }
  }
}

interface SharedFile {
  readonly facts: RemoteFacts;
  readonly released: AbortController;
}

/** Both ends included. */
interface ByteRange {
  readonly start: number;
  readonly end: number;
  /** False if the whole was asked for, and not a part that happens to be the whole. */
  readonly isPart: boolean;
}

function headOf({ sizeBytes }: RemoteFacts, { start, end, isPart }: ByteRange): [number, http.OutgoingHttpHeaders] {
  const headers = {
    // Says nothing of the format, which a web server may lie about.
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    'content-length': end - start + 1,
  };
  return isPart ? [206, { ...headers, 'content-range': `bytes ${start}-${end}/${sizeBytes}` }] : [200, headers];
}

function refuse(response: http.ServerResponse, status: number, headers: http.OutgoingHttpHeaders = {}): void {
  response.writeHead(status, { ...headers, 'content-length': 0 }).end();
}

/** The one range that is asked for (RFC 9110, 14.1.2); `undefined` if it cannot be served. */
function parseRange(header: string | undefined, sizeBytes: number): ByteRange | undefined {
  if (header === undefined) return { start: 0, end: sizeBytes - 1, isPart: false };
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim());
  const [, from = '', to = ''] = match ?? [];
  if (from === '' && to === '') return undefined;
  const start = from === '' ? Math.max(0, sizeBytes - Number(to)) : Number(from);
  const end = from === '' || to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  return start <= end ? { start, end, isPart: true } : undefined;
}
