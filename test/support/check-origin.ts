import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import {
  CHECK_SETTINGS,
  type CheckSettings,
  FIRST_MSN,
  renderCheckIFrames,
  renderCheckMultivariant,
  renderCheckPlaylist,
} from './check-playlists.ts';
import type { CheckStream, RenditionName } from './check-stream.ts';
import { makeCertificate } from './rtmp-certificate.ts';

/** What a defect can know about a request. */
export interface CheckRequest {
  readonly method: string;
  /** `multivariant`, `playlist`, `iframes`, `init`, `segment`, `part` or `unknown`. */
  readonly kind: string;
  readonly path: string;
  readonly rendition: RenditionName;
  readonly query: URLSearchParams;
  /** Number of the segment that is being made. */
  readonly openMsn: number;
  /** True for the part that is being made. */
  readonly isHinted: boolean;
}

/** An answer before it is sent. */
export interface CheckReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Takes that long to send the body, evenly. */
  readonly sendMs?: number;
}

/** A way to be wrong. */
export interface Defect {
  readonly settings?: Partial<CheckSettings>;
  /** Changes a playlist's text. */
  readonly text?: (text: string, request: CheckRequest) => string;
  /** Answers itself instead of the origin, or lets it. */
  readonly answer?: (request: CheckRequest, origin: CheckOrigin) => Promise<CheckReply | undefined> | undefined;
  /** Changes an answer. */
  readonly reply?: (reply: CheckReply, request: CheckRequest) => CheckReply;
  /** Publishes parts only at multiples of this. */
  readonly publishEachS?: number;
  /** `h1`: TLS without HTTP/2. */
  readonly tls?: 'h1' | 'h2';
}

/** Seconds that the stream had run when the origin started. */
const HISTORY_S = 12;
const KEPT = 'max-age=300, immutable';

/** A small low-latency HLS origin that does everything right, but for its defect. */
export class CheckOrigin {
  readonly #stream: CheckStream;
  readonly #defect: Defect;
  readonly #settings: CheckSettings;
  readonly #startMs = Date.now() - HISTORY_S * 1_000;
  readonly #server: http.Server | https.Server | http2.Http2SecureServer;
  readonly #closed = new AbortController();

  private constructor(stream: CheckStream, defect: Defect) {
    this.#stream = stream;
    this.#defect = defect;
    this.#settings = { ...CHECK_SETTINGS, ...defect.settings };
    const listener = (request: http.IncomingMessage, response: http.ServerResponse): void =>
      void this.#serve(request, response);
    if (defect.tls === undefined) this.#server = http.createServer(listener);
    else if (defect.tls === 'h1') this.#server = https.createServer(makeCertificate(), listener);
    else {
      const options = { ...makeCertificate(), allowHTTP1: true };
      this.#server = http2.createSecureServer(
        options,
        listener as unknown as Parameters<typeof http2.createSecureServer>[1],
      );
    }
  }

  static async start(stream: CheckStream, defect: Defect = {}): Promise<CheckOrigin> {
    const origin = new CheckOrigin(stream, defect);
    origin.#server.listen(0, '127.0.0.1');
    await once(origin.#server, 'listening');
    return origin;
  }

  get url(): string {
    const scheme = this.#defect.tls === undefined ? 'http' : 'https';
    return `${scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}/live/index.m3u8`;
  }

  /** Seconds of the stream that have been published. */
  nowS(): number {
    const nowS = (Date.now() - this.#startMs) / 1_000;
    const step = this.#defect.publishEachS;
    return step === undefined ? nowS : Math.floor(nowS / step) * step;
  }

  close(): void {
    this.#closed.abort();
    this.#server.close();
    if ('closeAllConnections' in this.#server) this.#server.closeAllConnections();
  }

  /** Resolves once the stream has reached that time. */
  async until(readyS: number): Promise<void> {
    while (this.nowS() < readyS && !this.#closed.signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, Math.max(5, (readyS - this.nowS()) * 1_000)));
    }
  }

  /** A media playlist as it is now. */
  playlist(request: CheckRequest, nowS = this.nowS()): CheckReply {
    const skip = ['YES', 'v2'].includes(request.query.get('_HLS_skip') ?? '');
    const settings = this.#settings;
    const text = renderCheckPlaylist(this.#stream, request.rendition, { nowS, startMs: this.#startMs, skip, settings });
    const isBlocking = request.query.has('_HLS_msn');
    return this.#text(text, request, isBlocking ? 'max-age=3' : 'no-cache');
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const about = this.#describe(request);
    const replied = (await this.#defect.answer?.(about, this)) ?? (await this.#answer(about));
    const reply = this.#defect.reply?.(replied, about) ?? replied;
    if (!response.destroyed) await send(request, response, reply);
  }

  #describe({ url = '/', method = 'GET' }: http.IncomingMessage): CheckRequest {
    const { pathname, searchParams } = new URL(url, 'http://origin');
    const [, , folder = '', file = ''] = pathname.split('/');
    const kinds = [
      [/^index\.m3u8$/.test(folder), 'multivariant'],
      [/^(video|audio)\.m3u8$/.test(file), 'playlist'],
      [file === 'iframes.m3u8', 'iframes'],
      [/^init-[01]\.mp4$/.test(file), 'init'],
      [/^seg-\d+\.m4s$/.test(file), 'segment'],
      [/^part-\d+-\d+\.m4s$/.test(file), 'part'],
    ] as const;
    const kind = kinds.find(([matches]) => matches)?.[1] ?? 'unknown';
    const rendition = folder === 'lo' || folder === 'audio' ? folder : 'hi';
    const { segments, parts } = this.#stream.progress(rendition, this.nowS());
    const openMsn = FIRST_MSN + segments;
    const isHinted = file === `part-${openMsn}-${parts}.m4s`;
    return { method, kind, path: pathname, rendition, query: searchParams, openMsn, isHinted };
  }

  async #answer(request: CheckRequest): Promise<CheckReply> {
    const { kind, rendition, path, method } = request;
    if (method === 'OPTIONS')
      return { status: 204, headers: cors({ 'access-control-allow-headers': 'Range' }), body: Buffer.alloc(0) };
    if (kind === 'multivariant') return this.#text(renderCheckMultivariant(this.#stream), request, 'no-cache');
    if (kind === 'playlist') return this.#blocking(request);
    if (kind === 'iframes') {
      const text = renderCheckIFrames(this.#stream, rendition, this.nowS(), this.#settings.windowSegments);
      return this.#text(text, request, 'no-cache');
    }
    if (kind === 'init') return media(this.#stream.init(rendition), path);
    const [msn = 0, part] = (path.match(/\d+/g) ?? []).map(Number);
    const segment = this.#stream.segment(rendition, Math.max(0, msn - FIRST_MSN));
    const { segments, parts } = this.#stream.progress(rendition, this.nowS());
    const openMsn = FIRST_MSN + segments;
    if (kind === 'segment' && msn < openMsn) return media(segment.bytes, path);
    const own = part === undefined ? undefined : segment.parts[part];
    if (kind !== 'part' || own === undefined || msn > openMsn || (msn === openMsn && part! > parts))
      return failure(404);
    await this.until(own.readyS);
    return media(own.bytes, path);
  }

  async #blocking(request: CheckRequest): Promise<CheckReply> {
    const { query, rendition } = request;
    const [msnText, partText] = [query.get('_HLS_msn'), query.get('_HLS_part')];
    if (msnText === null && partText === null) return this.playlist(request);
    if (msnText === null || !/^\d+$/.test(msnText) || !/^\d+$/.test(partText ?? '0')) return failure(400);
    const { segments, parts } = this.#stream.progress(rendition, this.nowS());
    let index = Number(msnText) - FIRST_MSN;
    let part = partText === null ? undefined : Number(partText);
    if (index > segments + 1) return failure(400);
    if (index < 0) return this.playlist(request);
    if (part !== undefined && index === segments && part > parts - 1 + 12) return failure(400);
    if (part !== undefined && part >= this.#stream.segment(rendition, index).parts.length) {
      index += 1;
      part = 0;
    }
    const wanted = this.#stream.segment(rendition, index).parts;
    await this.until((part === undefined ? wanted.at(-1)! : wanted[part]!).readyS);
    return this.playlist(request);
  }

  #text(text: string, request: CheckRequest, cacheControl: string): CheckReply {
    const body = Buffer.from(this.#defect.text?.(text, request) ?? text);
    const headers = { 'content-type': 'application/vnd.apple.mpegurl', 'cache-control': cacheControl };
    return { status: 200, headers: cors(headers), body };
  }
}

function media(body: Buffer, path: string): CheckReply {
  const type = path.includes('/audio/') ? 'audio/mp4' : 'video/mp4';
  return { status: 200, headers: cors({ 'content-type': type, 'cache-control': KEPT, etag: `"${path}"` }), body };
}

/** An answer that says no. */
export function failure(status: number): CheckReply {
  return { status, headers: cors({ 'cache-control': 'no-store' }), body: Buffer.from(`${status}\n`) };
}

function cors(headers: Readonly<Record<string, string>>): Record<string, string> {
  const exposed = 'Content-Length, Content-Range, ETag';
  return { 'access-control-allow-origin': '*', 'access-control-expose-headers': exposed, ...headers };
}

/** Gzip for playlists, ranges and conditions for media. */
async function send(
  { headers: asked }: http.IncomingMessage,
  response: http.ServerResponse,
  { status, headers, body, sendMs }: CheckReply,
): Promise<void> {
  const isPlaylist = headers['content-type']?.includes('mpegurl') === true;
  const range = /^bytes=(\d+)-(\d+)$/.exec(asked.range ?? '');
  if (headers['etag'] !== undefined && asked['if-none-match'] === headers['etag']) {
    response.writeHead(304, headers).end();
  } else if (status === 200 && range !== null && !isPlaylist) {
    const [from, to] = [Number(range[1]), Math.min(Number(range[2]), body.length - 1)];
    response.writeHead(206, { ...headers, 'content-range': `bytes ${from}-${to}/${body.length}` });
    response.end(body.subarray(from, to + 1));
  } else if (isPlaylist && asked['accept-encoding'] === 'gzip' && headers['content-encoding'] !== 'none') {
    response.writeHead(status, { ...headers, 'content-encoding': 'gzip' }).end(gzipSync(body, { level: 1 }));
  } else {
    const plain = Object.entries(headers).filter(([name]) => name !== 'content-encoding');
    response.writeHead(status, Object.fromEntries(plain));
    if (sendMs !== undefined) await dribble(response, body, sendMs);
    response.end(sendMs === undefined ? body : undefined);
  }
}

async function dribble(response: http.ServerResponse, body: Buffer, sendMs: number): Promise<void> {
  const steps = 4;
  for (let step = 0; step < steps && !response.destroyed; step += 1) {
    const size = Math.ceil(body.length / steps);
    response.write(body.subarray(step * size, (step + 1) * size));
    await new Promise((resolve) => setTimeout(resolve, sendMs / steps));
  }
}
