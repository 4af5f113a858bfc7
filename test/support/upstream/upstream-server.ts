import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { SharedLink } from './shared-link.ts';

/** A request that arrived. */
export interface UpstreamRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: http.IncomingHttpHeaders;
  /** By `performance.now()`. */
  readonly atMs: number;
}

/** What a route answers: ranges are cut out of a body with status 200. */
export interface UpstreamReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

export type UpstreamRoute = (request: UpstreamRequest) => UpstreamReply | undefined;

/** What goes wrong, or slowly, with answers. */
export interface UpstreamRule {
  /** How many requests it is for; all of them if left out. */
  readonly times?: number;
  /** Before the head of the answer. */
  readonly delayMs?: number;
  /** Of this answer alone; `server.link` is shared by all. */
  readonly bytesPerSecond?: number;
  /** The connection breaks after this many bytes of the body. */
  readonly cutAfter?: number;
  readonly status?: number;
  /** Nothing more comes: not even a head, or nothing of the body after `cutAfter` bytes (0). */
  readonly hang?: 'head' | 'body';
  /** One byte of the body at a time. */
  readonly dripMs?: number;
  /** Repeated for ever instead of the body. */
  readonly endless?: Buffer;
  /** The body is compressed, whether or not that was asked for. */
  readonly gzip?: boolean;
  /** Said instead of the true one. */
  readonly contentLength?: number;
  readonly redirect?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

type Pattern = string | RegExp;

const CHUNK_BYTES = 16 << 10;

/** A web server on loopback, like those that sources come from on their bad days. */
export class UpstreamServer {
  /** All requests so far, the oldest first. */
  readonly log: UpstreamRequest[] = [];
  /** What all bodies go through together. */
  readonly link = new SharedLink();
  readonly #host: string;
  readonly #server: http.Server;
  readonly #routes: { readonly pattern: Pattern; readonly route: UpstreamRoute }[] = [];
  readonly #rules: { readonly pattern: Pattern; readonly rule: UpstreamRule; left: number }[] = [];
  readonly #closing = new AbortController();
  #open = 0;
  #peak = 0;
  #port = 0;
  #bytesSent = 0;

  private constructor(host: string) {
    this.#host = host;
    this.#server = http.createServer((request, response) => {
      this.#open += 1;
      this.#peak = Math.max(this.#peak, this.#open);
      response.on('close', () => (this.#open -= 1)).on('error', () => undefined);
      // What breaks here was broken by the rules of the test or by the client: it has nobody to go to.
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  /** @param host an address of this machine */
  static async start(host = '127.0.0.1'): Promise<UpstreamServer> {
    const server = new UpstreamServer(host);
    await server.up();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  /** Requests that are being answered now. */
  get openRequests(): number {
    return this.#open;
  }

  /** The most requests that were being answered at a time. */
  get peakRequests(): number {
    return this.#peak;
  }

  /** Bytes of bodies that went out so far. */
  get bytesSent(): number {
    return this.#bytesSent;
  }

  url(path: string, host = this.#host): string {
    return `http://${host}:${this.#port}${path}`;
  }

  /** Serves bytes at a path; instead of those that were there. */
  put(path: string, body: Buffer | string, headers: Readonly<Record<string, string>> = {}): void {
    this.route(path, () => ({ body, headers: { 'content-type': contentType(path), ...headers } }));
  }

  /** Answers a path; the newest route that gives an answer counts. */
  route(pattern: Pattern, route: UpstreamRoute): void {
    this.#routes.unshift({ pattern, route });
  }

  /** Makes answers of these paths go wrong; several rules add up. Answers a way to end it. */
  rule(pattern: Pattern, rule: UpstreamRule): () => void {
    const entry = { pattern, rule, left: rule.times ?? Infinity };
    this.#rules.push(entry);
    return () => (entry.left = 0);
  }

  /** The requests of these paths so far. */
  requests(pattern: Pattern = /^/): UpstreamRequest[] {
    return this.log.filter(({ path }) => matches(pattern, path));
  }

  /** How many sockets are open. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }

  /** Breaks every connection, and refuses new ones until `up()`. */
  async down(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server.close(), 'close');
    this.#server.closeAllConnections();
    await closed;
  }

  /** Listens, at the same port as before. */
  async up(): Promise<void> {
    await once(this.#server.listen(this.#port, this.#host), 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.down();
  }

  async #answer(incoming: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', 'http://upstream');
    const { method = 'GET', headers } = incoming;
    const request = { method, headers, path: url.pathname, query: url.searchParams, atMs: performance.now() };
    this.log.push(request);
    const rule = this.#ruleFor(url.pathname);
    const left = AbortSignal.any([this.#closing.signal, abortedBy(response)]);
    if (rule.delayMs !== undefined) await delay(rule.delayMs, undefined, { signal: left });
    if (rule.hang === 'head') return;
    const reply = this.#reply(request, rule);
    const whole = Buffer.from(reply.body ?? '');
    const body = rule.gzip === true ? gzipSync(whole) : whole;
    const { status, part, range } = ranged(request, reply, body);
    response.writeHead(status, {
      ...(rule.endless === undefined && { 'content-length': rule.contentLength ?? part.length }),
      ...(rule.gzip === true && { 'content-encoding': 'gzip' }),
      ...range,
      ...reply.headers,
      ...rule.headers,
    });
    if (method === 'HEAD') response.end();
    else await this.#send(response, part, rule, left);
  }

  #reply(request: UpstreamRequest, rule: UpstreamRule): UpstreamReply {
    if (rule.redirect !== undefined) return { status: rule.status ?? 302, headers: { location: rule.redirect } };
    if (rule.status !== undefined) return { status: rule.status, body: `status ${rule.status}` };
    for (const { pattern, route } of this.#routes) {
      const reply = matches(pattern, request.path) ? route(request) : undefined;
      if (reply !== undefined) return reply;
    }
    return { status: 404, body: 'not found' };
  }

  async #send(response: http.ServerResponse, body: Buffer, rule: UpstreamRule, left: AbortSignal): Promise<void> {
    const end = Math.min(body.length, rule.cutAfter ?? (rule.hang === 'body' ? 0 : Infinity));
    const step = rule.dripMs === undefined ? CHUNK_BYTES : 1;
    response.flushHeaders();
    for (let at = 0; rule.endless !== undefined || at < end; at += step) {
      const chunk = rule.endless ?? body.subarray(at, Math.min(at + step, end));
      const slowMs = rule.bytesPerSecond === undefined ? 0 : (chunk.length / rule.bytesPerSecond) * 1_000;
      if (slowMs > 0 || rule.dripMs !== undefined) await delay(rule.dripMs ?? slowMs, undefined, { signal: left });
      await this.link.pass(chunk.length, left);
      left.throwIfAborted();
      this.#bytesSent += chunk.length;
      if (!response.write(chunk)) await once(response, 'drain', { signal: left });
    }
    if (rule.hang === 'body') return;
    const isBroken = rule.cutAfter !== undefined || (rule.contentLength ?? body.length) > body.length;
    if (!isBroken) response.end();
    else response.write('', () => response.destroy());
  }

  #ruleFor(path: string): UpstreamRule {
    const found = this.#rules.filter(({ pattern, left }) => left > 0 && matches(pattern, path));
    for (const entry of found) entry.left -= 1;
    return Object.assign({}, ...found.map(({ rule }) => rule)) as UpstreamRule;
  }
}

function matches(pattern: Pattern, path: string): boolean {
  return typeof pattern === 'string' ? pattern === path : pattern.test(path);
}

function abortedBy(response: http.ServerResponse): AbortSignal {
  const abort = new AbortController();
  response.on('close', () => abort.abort());
  return abort.signal;
}

/** Cuts a range out of a body that is still the one that the range is meant for. */
function ranged(
  { headers }: UpstreamRequest,
  reply: UpstreamReply,
  body: Buffer,
): { status: number; part: Buffer; range?: Readonly<Record<string, string>> } {
  const status = reply.status ?? 200;
  const match = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
  const isOther = headers['if-range'] !== undefined && headers['if-range'] !== reply.headers?.['etag'];
  if (match === null || status !== 200 || isOther) return { status, part: body };
  const start = Number(match[1]);
  const end = match[2] === '' ? body.length - 1 : Math.min(Number(match[2]), body.length - 1);
  if (start > end) {
    return { status: 416, part: Buffer.alloc(0), range: { 'content-range': `bytes */${body.length}` } };
  }
  const range = { 'content-range': `bytes ${start}-${end}/${body.length}` };
  return { status: 206, part: body.subarray(start, end + 1), range };
}

function contentType(path: string): string {
  const types: Readonly<Record<string, string>> = {
    m3u8: 'application/vnd.apple.mpegurl',
    ts: 'video/mp2t',
    m4s: 'video/iso.segment',
    mp4: 'video/mp4',
    vtt: 'text/vtt',
  };
  return types[path.slice(path.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
}
