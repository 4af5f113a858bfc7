import type { LookupFunction } from 'node:net';
import { type Agent, type Dispatcher, request } from 'undici';
import { type Clock, systemClock } from '../util/clock.ts';
import type { Closable } from '../util/closer.ts';
import { reasonOf } from '../util/errors.ts';
import type { AddressGuard } from './address-guard.ts';
import type { ConnectionScope } from './connection-scope.ts';
import { guardedAgent } from './guarded-agent.ts';
import { busy, HostLimiter, type TurnOptions } from './limiter.ts';
import { RemoteResponse, tooLarge } from './remote-response.ts';
import { type RemoteUrl, remoteUrl } from './remote-url.ts';
import { withoutCredentials } from './request-headers.ts';
import { abortReason, failureKind, type FailureKind, UpstreamFailure } from './upstream-failure.ts';

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const USER_AGENT = 'laddercast';

/** How web servers are reached. Defaults in brackets. */
export interface RemoteClientOptions {
  readonly guard: AddressGuard;
  /** How names are resolved [as the system does]. */
  readonly lookup?: LookupFunction;
  readonly clock?: Clock;
  /** [3000] */
  readonly connectTimeoutMs?: number;
  /** From the request to the end of the answer's headers [8000]. */
  readonly headersTimeoutMs?: number;
  /** Between two pieces of a body that is being read [10000]. */
  readonly idleTimeoutMs?: number;
  /** Requests at a time, a body that is still open included [16]. */
  readonly maxPerHost?: number;
  /** [64] */
  readonly maxTotal?: number;
  /** Takes why a request failed, for the log; users are not told, or they could scan networks. Holds no secret. */
  readonly onFailure?: (detail: string) => void;
}

/** One request. */
export interface RemoteRequest {
  readonly target: RemoteUrl;
  /** `GET` if left out. */
  readonly method?: 'GET' | 'HEAD';
  /** `authorization` and `cookie` do not go beyond a redirect to another origin. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How long it may take until its body has ended; no limit if left out. */
  readonly timeoutMs?: number | undefined;
  /** Longest body; no limit if left out. One that is announced to be longer is not even read. */
  readonly maxBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** `asked` if left out; asked again while the request waits for its turn. */
  readonly priority?: TurnOptions['priority'];
  /** What else it belongs to and counts in. */
  readonly scope?: ConnectionScope | undefined;
}

/**
 * Fetches from web servers that users name. Every hop of a redirect is checked like the first (at most 5, none from https
 * to http, credentials go to their own origin only); bodies come undecoded. Holds connections until it is closed.
 */
export class RemoteClient implements Closable {
  readonly #agent: Agent;
  readonly #guard: AddressGuard;
  readonly #limiter: HostLimiter;
  readonly #onFailure: (detail: string) => void;
  /** One failure may pass through here on several levels. */
  readonly #reported = new WeakSet<UpstreamFailure>();
  #closing: Promise<void> | undefined;

  constructor(options: RemoteClientOptions) {
    const { guard, lookup, clock = systemClock, connectTimeoutMs: connectMs = 3_000 } = options;
    const {
      headersTimeoutMs: headersMs = 8_000,
      idleTimeoutMs: idleMs = 10_000,
      maxPerHost = 16,
      maxTotal = 64,
    } = options;
    this.#guard = guard;
    this.#agent = guardedAgent({ guard, timeouts: { connectMs, headersMs, idleMs }, maxPerHost, lookup });
    this.#limiter = new HostLimiter({ clock, maxPerHost, maxTotal, maxWaiting: 1_000, maxWaitMs: 15_000 });
    this.#onFailure = options.onFailure ?? (() => undefined);
  }

  /**
   * Sends a request and resolves with the answer, whatever its status, once its headers are there. The answer must be
   * closed; it holds one of the host's turns until then.
   * @throws AppError `FORBIDDEN` if the address itself is none that may be fetched
   * @throws UpstreamFailure for everything else
   */
  async open(request: RemoteRequest): Promise<RemoteResponse> {
    const { target, timeoutMs, maxBytes, signal, priority, scope } = request;
    this.#guard.checkUrl(target.url);
    const over = new AbortController();
    const onAbort = (): void => over.abort(abortReason('aborted', 'it was aborted'));
    const onTimeout = (): void => over.abort(abortReason('timeout', `it took longer than ${timeoutMs} ms`));
    const timer = timeoutMs === undefined ? undefined : setTimeout(onTimeout, timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    let leaveScope: (() => void) | undefined;
    const tidy = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      leaveScope?.();
    };
    try {
      if (signal?.aborted === true) onAbort();
      leaveScope = await scope?.acquire({ signal: over.signal, priority });
      const { method = 'GET', headers = {} } = request;
      const { answer, release, url } = await this.#follow(target, { method, headers, signal: over.signal, priority });
      const { statusCode: status, headers: answered, body } = answer;
      const response = new RemoteResponse({ status, headers: answered, body, url, maxBytes }, () => {
        release();
        tidy();
      });
      if (maxBytes !== undefined && (response.lengthBytes ?? 0) > maxBytes && method === 'GET') {
        response.close();
        throw tooLarge(maxBytes);
      }
      return response;
    } catch (thrown) {
      tidy();
      if (!over.signal.aborted) throw this.failed(target, thrown);
      // The time went by while it waited for its turn: that is no fault of the server.
      const isBusy = thrown instanceof UpstreamFailure && failureKind(over.signal.reason) === 'timeout';
      throw this.failed(target, isBusy ? busy('all connections are in use') : over.signal.reason);
    }
  }

  /** Reports an error of a request or of its body, and answers what a user is told instead. */
  failed(target: RemoteUrl, thrown: unknown): UpstreamFailure {
    if (!(thrown instanceof UpstreamFailure)) return this.failure(target, reasonOf(thrown), failureKind(thrown));
    if (!this.#reported.has(thrown)) this.#onFailure(`${target.label}: ${thrown.message}`);
    this.#reported.add(thrown);
    return thrown;
  }

  /** Reports why something did not work and answers what a user is told instead. */
  failure(target: RemoteUrl, detail: string, kind: FailureKind = 'bad-answer'): UpstreamFailure {
    this.#onFailure(`${target.label}: ${detail}`);
    const reason = 'its server does not answer as it should, or this server may not reach it';
    const failure = new UpstreamFailure(kind, `"${target.label}" cannot be fetched: ${reason}`);
    this.#reported.add(failure);
    return failure;
  }

  close(): Promise<void> {
    this.#closing ??= this.#agent.destroy().catch(() => undefined);
    return this.#closing;
  }

  async #follow(first: RemoteUrl, options: HopOptions): Promise<Hop> {
    let { url, authorization } = first;
    let { headers } = options;
    for (let redirects = 0; ; redirects++) {
      const hop = await this.#hop(url, authorization, { ...options, headers });
      const location = REDIRECTS.has(hop.answer.statusCode) ? hop.answer.headers['location'] : undefined;
      if (typeof location !== 'string') return hop;
      hop.answer.body.on('error', () => undefined).destroy();
      hop.release();
      if (redirects === MAX_REDIRECTS) throw new Error(`it is redirected more than ${MAX_REDIRECTS} times`);
      const next = remoteUrl(new URL(location, url));
      this.#guard.checkUrl(next.url);
      if (url.protocol === 'https:' && next.url.protocol === 'http:') {
        throw new Error('it is redirected from https to http');
      }
      if (next.url.origin !== url.origin) {
        authorization = undefined;
        headers = withoutCredentials(headers);
      }
      url = next.url;
    }
  }

  async #hop(url: URL, authorization: string | undefined, options: HopOptions): Promise<Hop> {
    const { method, headers, signal, priority } = options;
    const release = await this.#limiter.acquire(url.host, { signal, priority });
    try {
      const answer = await request(url, {
        dispatcher: this.#agent,
        method,
        headers: {
          ...{ 'user-agent': USER_AGENT, accept: '*/*', 'accept-encoding': 'identity', ...headers },
          ...(authorization !== undefined && { authorization }),
        },
        signal,
      });
      return { answer, release, url };
    } catch (thrown) {
      release();
      throw thrown;
    }
  }
}

interface Hop {
  readonly answer: Dispatcher.ResponseData;
  /** Ends the turn at the host. */
  readonly release: () => void;
  readonly url: URL;
}

interface HopOptions {
  readonly method: 'GET' | 'HEAD';
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly priority: TurnOptions['priority'];
}
