import type { TurnOptions } from '../../remote/limiter.ts';
import { ConnectionScope } from '../../remote/connection-scope.ts';
import type { RemoteClient } from '../../remote/remote-client.ts';
import { type RemoteResponse, tooLarge } from '../../remote/remote-response.ts';
import type { RemoteUrl } from '../../remote/remote-url.ts';
import { customHeaders, withoutCredentials } from '../../remote/request-headers.ts';
import { UpstreamFailure } from '../../remote/upstream-failure.ts';
import type { Clock } from '../../util/clock.ts';
import { PLAYLIST_LIMITS } from '../playlist/limits.ts';
import { gunzipped } from './gunzip.ts';
import { SourceTraffic } from './source-traffic.ts';

const TEXT_TIMEOUT_MS = 5_000;
const MAX_VALIDATOR_CHARS = 1_000;

/** Requests to a source at a time, unless it says otherwise. */
export const MAX_CONNECTIONS = 4;

/** How a source is fetched. */
export interface SourceFetcherOptions {
  readonly client: RemoteClient;
  readonly clock: Clock;
  /** The source's own addresses: its credentials (in them or in its headers) go to their origins only. */
  readonly addresses: readonly RemoteUrl[];
  /** Sent with each request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly userAgent?: string | undefined;
  /** Requests at a time [4]. */
  readonly maxConnections?: number | undefined;
}

/** What a server said of the version of a text, as it said it. */
export interface Validators {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

/** A text that was fetched, or that is still what it was. */
export type FetchedText =
  | { readonly status: 'ok'; readonly text: string; readonly finalUrl: URL; readonly validators: Validators }
  | { readonly status: 'unchanged' };

/** What all requests have in common. */
interface FetchOptions {
  readonly maxBytes?: number | undefined;
  /** For the whole, its body included. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface OpenOptions extends FetchOptions {
  /** Further headers of this request, names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly priority?: TurnOptions['priority'];
}

/** Fetches what belongs to one source, with its headers and within its number of connections. */
export class SourceFetcher {
  /** Its connections. */
  readonly scope: ConnectionScope;
  /** What of it goes on. */
  readonly traffic = new SourceTraffic();
  readonly #client: RemoteClient;
  readonly #headers: Readonly<Record<string, string>>;
  /** By origin. */
  readonly #authorizations: ReadonlyMap<string, string | undefined>;

  /** @throws AppError `BAD_REQUEST` for a header that cannot be chosen */
  constructor(options: SourceFetcherOptions) {
    const { client, clock, addresses, headers = {}, userAgent, maxConnections = MAX_CONNECTIONS } = options;
    this.scope = new ConnectionScope({ maxConnections, clock });
    this.#client = client;
    this.#headers = { ...customHeaders(headers), ...(userAgent !== undefined && { 'user-agent': userAgent }) };
    this.#authorizations = new Map(addresses.map(({ url, authorization }) => [url.origin, authorization]));
  }

  /**
   * Fetches a text such as a playlist (2 MB within 5 s if not told otherwise), unless it is still what `validators` say.
   * It may come compressed; `maxBytes` is for what it holds.
   * @throws UpstreamFailure or AppError `FORBIDDEN`, see `RemoteClient.open()`
   */
  async text(
    target: RemoteUrl,
    options: FetchOptions & { validators?: Validators | undefined } = {},
  ): Promise<FetchedText> {
    const { validators, maxBytes = PLAYLIST_LIMITS.liveBytes, timeoutMs = TEXT_TIMEOUT_MS, signal } = options;
    const headers = {
      'accept-encoding': 'gzip',
      ...(validators?.etag !== undefined && { 'if-none-match': validators.etag }),
      ...(validators?.lastModified !== undefined && { 'if-modified-since': validators.lastModified }),
    };
    const response = await this.#request(target, { headers, maxBytes, timeoutMs, signal });
    try {
      if (response.status === 304 && validators !== undefined) return { status: 'unchanged' };
      this.#checkStatus(target, response);
      const isZipped = /^(x-)?gzip$/i.test(response.header('content-encoding')?.trim() ?? '');
      if (!isZipped) this.#checkEncoding(target, response);
      const pieces = isZipped ? gunzipped(response.pieces()) : response.pieces();
      const text = (await gathered(pieces, maxBytes)).toString('utf8');
      return { status: 'ok', text, finalUrl: response.url, validators: validatorsOf(response) };
    } catch (thrown) {
      throw this.failed(target, thrown);
    } finally {
      response.close();
    }
  }

  /**
   * Asks for something and resolves with the answer, whose status is 2xx and whose body comes as it is. It must be closed;
   * what its body throws is for `failed()`.
   * @throws UpstreamFailure or AppError `FORBIDDEN`, see `RemoteClient.open()`
   */
  async open(target: RemoteUrl, options: OpenOptions = {}): Promise<RemoteResponse> {
    const response = await this.#request(target, options);
    try {
      this.#checkStatus(target, response);
      this.#checkEncoding(target, response);
      return response;
    } catch (thrown) {
      response.close();
      throw thrown;
    }
  }

  /**
   * Fetches something small.
   * @throws UpstreamFailure or AppError `FORBIDDEN`, see `RemoteClient.open()`
   */
  async bytes(target: RemoteUrl, options: OpenOptions & { maxBytes: number }): Promise<Buffer> {
    const response = await this.open(target, options);
    try {
      return await gathered(response.pieces(), options.maxBytes);
    } catch (thrown) {
      throw this.failed(target, thrown);
    } finally {
      response.close();
    }
  }

  /** What to throw instead of what the body of an answer threw; reports it. */
  failed(target: RemoteUrl, thrown: unknown): UpstreamFailure {
    return this.#client.failed(target, thrown);
  }

  #request(target: RemoteUrl, { headers, ...options }: OpenOptions): Promise<RemoteResponse> {
    const { origin } = target.url;
    const isOwn = this.#authorizations.has(origin);
    const sent = { ...(isOwn ? this.#headers : withoutCredentials(this.#headers)), ...headers };
    const authorization = target.authorization ?? this.#authorizations.get(origin);
    return this.#client.open({ target: { ...target, authorization }, headers: sent, scope: this.scope, ...options });
  }

  #checkStatus(target: RemoteUrl, { status }: RemoteResponse): void {
    if (status >= 200 && status < 300) return;
    const message = `"${target.label}" cannot be fetched: its server answers with status ${status}`;
    throw this.failed(target, new UpstreamFailure('status', message, { status }));
  }

  #checkEncoding(target: RemoteUrl, response: RemoteResponse): void {
    const encoding = response.header('content-encoding')?.trim().toLowerCase() ?? 'identity';
    if (encoding === 'identity' || encoding === '') return;
    throw this.#client.failure(target, `content-encoding "${encoding.slice(0, 40)}" was not asked for`);
  }
}

function validatorsOf(response: RemoteResponse): Validators {
  const value = (name: string): string | undefined => {
    const text = response.header(name);
    return text === undefined || text.length > MAX_VALIDATOR_CHARS ? undefined : text;
  };
  return { etag: value('etag'), lastModified: value('last-modified') };
}

async function gathered(pieces: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const gatheredPieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    gatheredPieces.push(piece);
  }
  return Buffer.concat(gatheredPieces);
}
