import http from 'node:http';
import https from 'node:https';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Clock } from '../util/clock.ts';
import { reasonOf } from '../util/errors.ts';

/** A request and what came of it. Times are of the client's clock. */
export interface Exchange {
  readonly method: string;
  /** As asked for. */
  readonly url: string;
  /** Where the answer came from in the end. */
  readonly finalUrl: string;
  readonly redirects: number;
  /** 0 if there was no answer; `failure` says why. */
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** Without its transfer and content coding. */
  readonly body: Buffer;
  readonly failure: string | undefined;
  readonly sentAtMs: number;
  readonly headersAtMs: number;
  /** When the first byte of the body came. */
  readonly firstByteAtMs: number;
  readonly endedAtMs: number;
}

/** How to ask. */
export interface RequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly gzip?: boolean;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
  readonly maxRedirects?: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_BYTES = 8 * 1024 * 1024;
const DEFAULT_MAX_REDIRECTS = 5;
const MAX_SOCKETS = 128;

const inflate = promisify(gunzip);

/** HTTP/1.1 within limits: of time, of bytes per answer and in all, of redirects. A request never rejects. */
export class HttpClient {
  readonly #clock: Clock;
  readonly #plain = new http.Agent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  readonly #secure: https.Agent;
  #bytesLeft: number;

  /** @param options `insecure` takes any certificate. `maxTotalBytes` bounds all bodies together. */
  constructor({ clock, insecure, maxTotalBytes }: { clock: Clock; insecure: boolean; maxTotalBytes: number }) {
    this.#clock = clock;
    this.#secure = new https.Agent({ keepAlive: true, maxSockets: MAX_SOCKETS, rejectUnauthorized: !insecure });
    this.#bytesLeft = maxTotalBytes;
  }

  /** Asks, and follows redirects. */
  async request(url: string, options: RequestOptions = {}): Promise<Exchange> {
    const timeout = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
    const sentAtMs = this.#clock.nowMs();
    let target = url;
    for (let redirects = 0; ; redirects += 1) {
      const answer = await this.#once(target, options, signal);
      const location = answer.status >= 300 && answer.status < 400 ? answer.headers.location : undefined;
      const isLast = redirects >= (options.maxRedirects ?? DEFAULT_MAX_REDIRECTS);
      if (location === undefined || isLast || !URL.canParse(location, target)) {
        return { ...answer, url, finalUrl: target, redirects, sentAtMs };
      }
      target = new URL(location, target).href;
    }
  }

  /** Closes the connections that are kept. */
  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }

  async #once(url: string, options: RequestOptions, signal: AbortSignal): Promise<Exchange> {
    const method = options.method ?? 'GET';
    const sentAtMs = this.#clock.nowMs();
    const base = { method, url, finalUrl: url, redirects: 0, headers: {}, body: Buffer.alloc(0), sentAtMs };
    let headersAtMs = sentAtMs;
    let firstByteAtMs = sentAtMs;
    let status = 0;
    try {
      const response = await this.#open(url, method, options, signal);
      status = response.statusCode ?? 0;
      headersAtMs = firstByteAtMs = this.#clock.nowMs();
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of response as AsyncIterable<Buffer>) {
        if (size === 0) firstByteAtMs = this.#clock.nowMs();
        size += chunk.length;
        this.#bytesLeft -= chunk.length;
        const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
        if (size > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`);
        if (this.#bytesLeft < 0) throw new Error('the limit of bytes for the whole check is reached');
        chunks.push(chunk);
      }
      const endedAtMs = this.#clock.nowMs();
      const body = await decode(Buffer.concat(chunks), response.headers, options.maxBytes ?? DEFAULT_MAX_BYTES);
      const { headers } = response;
      return { ...base, status, headers, body, failure: undefined, headersAtMs, firstByteAtMs, endedAtMs };
    } catch (error) {
      const failure = signal.aborted ? 'no answer in time' : reasonOf(error);
      return { ...base, status: 0, failure, headersAtMs, firstByteAtMs, endedAtMs: this.#clock.nowMs() };
    }
  }

  async #open(
    url: string,
    method: string,
    options: RequestOptions,
    signal: AbortSignal,
  ): Promise<http.IncomingMessage> {
    const { protocol } = new URL(url);
    if (protocol !== 'http:' && protocol !== 'https:') throw new Error(`${protocol} is neither http nor https`);
    const headers = {
      'user-agent': 'laddercast-check',
      'accept-encoding': options.gzip === true ? 'gzip' : 'identity',
      origin: 'https://player.example',
      ...options.headers,
    };
    return new Promise((resolve, reject) => {
      const request =
        protocol === 'https:'
          ? https.request(url, { method, headers, signal, agent: this.#secure })
          : http.request(url, { method, headers, signal, agent: this.#plain });
      request.once('response', resolve).on('error', reject).end();
    });
  }
}

async function decode(body: Buffer, headers: http.IncomingHttpHeaders, maxBytes: number): Promise<Buffer> {
  if (headers['content-encoding']?.toLowerCase() !== 'gzip' || body.length === 0) return body;
  return inflate(body, { maxOutputLength: maxBytes });
}

/** The exchange without its bytes, to be kept. */
export function withoutBody(exchange: Exchange): Exchange {
  return { ...exchange, body: Buffer.alloc(0) };
}

/** `GET /path?query -> 200`, or why there was no answer. */
export function describeExchange({ method, url, status, failure }: Exchange): string {
  const { pathname, search } = new URL(url);
  return `${method} ${pathname}${search} -> ${failure ?? status}`;
}

/** One header as a text, empty if there is none. */
export function header(exchange: Exchange, name: string): string {
  const value = exchange.headers[name];
  return Array.isArray(value) ? value.join(', ') : (value ?? '');
}

/** `url` with query parameters appended, those that it has kept as they are. */
export function withQuery(url: string, query: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}${query}`;
}
