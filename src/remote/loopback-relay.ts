import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
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

/** Something remote at an address on loopback. */
export interface Relayed {
  /** Nobody can guess it. */
  readonly url: string;
  /** Ends the address and whatever is still read from it; idempotent. */
  release(): void;
}

/** Gives bytes from the beginning, to one reader, who is gone when `signal` aborts; what it throws cuts the reader off. */
export type OpenStream = (signal: AbortSignal) => AsyncIterable<Buffer>;

/**
 * Serves what is remote on loopback to programs that must not reach the network by themselves: all they get to see is the
 * bytes of what they were given, whatever the web server answers. Starts when it is first used.
 */
export class LoopbackRelay implements Closable {
  readonly #client: RemoteClient;
  readonly #clock: Clock;
  readonly #maxStreams: number;
  readonly #shared = new Map<string, Shared>();
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
  register(facts: RemoteFacts): Promise<Relayed> {
    return this.#share({ facts });
  }

  /** Gives a stream an address until it is released: it can be read from its beginning only. Errors as with `register`. */
  registerStream(open: OpenStream): Promise<Relayed> {
    return this.#share({ open });
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    for (const { released } of this.#shared.values()) released.abort();
    this.#shared.clear();
    if (this.#listening === undefined) return;
    await this.#listening.catch(() => undefined);
    if (!this.#server.listening) return;
    const closed = once(this.#server.close(), 'close');
    this.#server.closeAllConnections();
    await closed;
  }

  async #share(what: Sharable): Promise<Relayed> {
    this.#listening ??= once(this.#server.listen(0, '127.0.0.1'), 'listening');
    await this.#listening.catch(() => undefined);
    const address = this.#server.address() as AddressInfo | null;
    if (this.#closing !== undefined || address === null) {
      throw new AppError('UNAVAILABLE', 'remote files cannot be relayed: the relay does not listen');
    }
    const token = randomBytes(TOKEN_BYTES).toString('hex');
    const released = new AbortController();
    this.#shared.set(token, { what, released });
    return {
      url: `http://127.0.0.1:${address.port}/${token}`,
      release: () => {
        this.#shared.delete(token);
        released.abort();
      },
    };
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const shared = this.#shared.get(request.url?.slice(1) ?? '');
    const { method } = request;
    if (shared === undefined) refuse(response, 404);
    else if (method !== 'GET' && method !== 'HEAD') refuse(response, 405);
    else await this.#serveShared(shared, request, response);
  }

  async #serveShared(
    { what, released }: Shared,
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): Promise<void> {
    if ('facts' in what) await this.#serveFile(what.facts, released.signal, request, response);
    else if (request.method === 'HEAD') response.writeHead(200, TYPE).end();
    else await this.#stream(response, () => sendStream(what.open, released.signal, response));
  }

  async #serveFile(
    facts: RemoteFacts,
    released: AbortSignal,
    { method, headers }: http.IncomingMessage,
    response: http.ServerResponse,
  ): Promise<void> {
    const range = parseRange(headers.range, facts.sizeBytes);
    if (range === undefined) {
      refuse(response, 416, { 'content-range': `bytes */${facts.sizeBytes}` });
    } else if (method === 'HEAD') response.writeHead(...headOf(facts, range)).end();
    else {
      const stream = new RelayStream({
        ...{ client: this.#client, clock: this.#clock, facts, response, released },
        ...{ start: range.start, end: range.end, begin: () => response.writeHead(...headOf(facts, range)) },
      });
      await this.#stream(response, () => stream.run());
    }
  }

  async #stream(response: http.ServerResponse, send: () => Promise<void>): Promise<void> {
    if (this.#streams >= this.#maxStreams) {
      refuse(response, 503);
      return;
    }
    this.#streams += 1;
    try {
      await send();
    } finally {
      this.#streams -= 1;
    }
  }
}

type Sharable = { readonly facts: RemoteFacts } | { readonly open: OpenStream };

interface Shared {
  readonly what: Sharable;
  readonly released: AbortController;
}

/** Both ends included. */
interface ByteRange {
  readonly start: number;
  readonly end: number;
  /** False if the whole was asked for, and not a part that happens to be the whole. */
  readonly isPart: boolean;
}

/** Says nothing of the format, which a web server may lie about. */
const TYPE = { 'content-type': 'application/octet-stream' };

/** Resolves when the reader has all, or is cut off; never rejects. */
async function sendStream(open: OpenStream, released: AbortSignal, response: http.ServerResponse): Promise<void> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  response.once('close', leave);
  released.addEventListener('abort', leave, { once: true });
  if (released.aborted) leave();
  response.writeHead(200, TYPE);
  await pipeline(open(gone.signal), response, { signal: gone.signal }).catch(() => response.destroy());
  leave();
  released.removeEventListener('abort', leave);
}

function headOf({ sizeBytes }: RemoteFacts, { start, end, isPart }: ByteRange): [number, http.OutgoingHttpHeaders] {
  const headers = { ...TYPE, 'accept-ranges': 'bytes', 'content-length': end - start + 1 };
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
