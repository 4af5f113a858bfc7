import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import { gunzipSync } from 'node:zlib';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hlsRoutes } from '../../src/http/hls-routes.ts';
import { selfSignedCertificate } from '../../src/http/self-signed.ts';
import { audioFrames, audioInit, videoFrames, videoInit } from '../support/hls-fragments.ts';
import { HlsStage } from '../support/hls-stage.ts';
import { until } from '../support/poll.ts';
import { type Proxy, startNginx, startVarnish, type Varnish } from '../support/proxies.ts';

const VIEWERS = 500;
const FOLDER = '/hls/live/demo/720p/';

const source = videoInit();
const rung = videoInit({ bytes: Buffer.from('rung init') });
const aac = audioInit();

/** A live broadcast that goes on only when the test says, and counts what it is asked for. */
class CountedOrigin {
  readonly stage = new HlsStage();
  readonly asked = new Map<string, number>();
  readonly #app: FastifyInstance = fastify({ forceCloseConnections: true });
  #seconds = 0;

  async start(): Promise<number> {
    this.#app.addHook('onRequest', (request, _, done) => {
      this.asked.set(request.url, (this.asked.get(request.url) ?? 0) + 1);
      done();
    });
    await this.#app.register(hlsRoutes, { origin: this.stage.origin });
    this.stage.open('source', source);
    this.stage.open('720p', rung);
    this.stage.open('audio', aac);
    this.play(10.2);
    await this.#app.listen({ host: '127.0.0.1', port: 0, backlog: 4_096 });
    return (this.#app.server.address() as AddressInfo).port;
  }

  /** Goes on for some seconds. */
  play(seconds: number): void {
    const [from, to] = [this.#seconds, this.#seconds + seconds];
    const evens = Array.from({ length: 200 }, (_, index) => 2 * index);
    this.stage.play({
      source: videoFrames({ init: source, from, to, keyframes: evens }),
      '720p': videoFrames({ init: rung, from, to, keyframes: evens, lateMs: 50 }),
      audio: audioFrames({ init: aac, from, to }),
    });
    this.#seconds = to;
  }

  get playlist(): string {
    return this.stage.playlist('720p') ?? '';
  }

  /** Path of the playlist that has the next part. */
  get next(): string {
    const lines = this.playlist.split('\n');
    const first = Number(/MEDIA-SEQUENCE:(\d+)/.exec(this.playlist)?.[1]);
    const uris = lines.filter((line) => line !== '' && !line.startsWith('#'));
    const parts = lines.slice(lines.lastIndexOf(uris.at(-1)!)).filter((line) => line.startsWith('#EXT-X-PART:'));
    return `${FOLDER}video.m3u8?_HLS_msn=${first + uris.length}&_HLS_part=${parts.length}`;
  }

  /** Path of the part that the playlist hints at. */
  get hint(): string {
    return FOLDER + (/PRELOAD-HINT:TYPE=PART,URI="([^"]+)"/.exec(this.playlist)?.[1] ?? 'none');
  }

  /** Path of the newest whole segment. */
  get segment(): string {
    const uris = this.playlist.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return FOLDER + (uris.at(-1) ?? 'none');
  }

  async close(): Promise<void> {
    await this.#app.close();
    await this.stage.origin.close();
  }
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

type Get = (path: string, headers?: Record<string, string>) => Promise<Answer>;

let origin: CountedOrigin;
const all = (count: number, get: Get, path: string): Promise<Answer>[] =>
  Array.from({ length: count }, () => get(path));
const statuses = (answers: readonly Answer[]): number[] => [...new Set(answers.map(({ status }) => status))];
const bodies = (answers: readonly Answer[]): number => new Set(answers.map(({ body }) => body.toString('latin1'))).size;

/** What holds of every proxy. */
function everyProxy(get: Get): void {
  it('keeps no failure', async () => {
    const tooFar = `${FOLDER}video.m3u8?_HLS_msn=99999`;
    expect(statuses([await get(tooFar), await get(tooFar)])).toEqual([400]);
    expect(origin.asked.get(tooFar)).toBe(2);
    const missing = `${FOLDER}video-x-1.m4s`;
    expect(statuses([await get(missing), await get(missing)])).toEqual([404]);
    expect(origin.asked.get(missing)).toBe(2);
  });

  it('lets a part be had that did not come in time at first', async () => {
    const { next, hint } = origin;
    const early = [...all(20, get, next), ...all(20, get, hint)];
    await until('somebody to wait', () => origin.stage.origin.waitingRequests >= 2);
    // The time that an answer may be held back passes, and nothing comes.
    const expiry = setInterval(() => origin.stage.clock.advance(10_000), 100);
    const answers = await Promise.all(early).finally(() => clearInterval(expiry));
    expect(statuses(answers).every((status) => status === 503 || status === 404)).toBe(true);
    origin.play(2);
    const late = await Promise.all([get(next), get(hint)]);
    expect(statuses(late)).toEqual([200]);
    expect(late[0].body.toString()).toContain(hint.split('/').at(-1));
  });

  it('gives ranges of segments, asking for the segment once', async () => {
    const { segment } = origin;
    const [first, second, whole] = [
      await get(segment, { range: 'bytes=0-99' }),
      await get(segment, { range: 'bytes=100-199' }),
      await get(segment),
    ];
    expect([first.status, second.status, whole.status]).toEqual([206, 206, 200]);
    expect(Buffer.concat([first.body, second.body]).equals(whole.body.subarray(0, 200))).toBe(true);
    expect(second.headers['content-range']).toBe(`bytes 100-199/${whole.body.length}`);
    expect(origin.asked.get(segment)).toBe(1);
  });

  it('compresses playlists for those who take it, and lets every page read them', async () => {
    const path = `${FOLDER}video.m3u8`;
    const [plain, packed] = [await get(path), await get(path, { 'accept-encoding': 'gzip' })];
    expect([plain.headers['content-encoding'], packed.headers['content-encoding']]).toEqual([undefined, 'gzip']);
    expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);
    expect(packed.headers['access-control-allow-origin']).toBe('*');
  });
}

describe('Varnish in front', () => {
  let varnish: Varnish;
  const agent = new http.Agent({ keepAlive: true });
  const get: Get = async (path, headers = {}) => {
    const request = http.get({ host: '127.0.0.1', port: varnish.port, path, headers, agent });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const chunks = (await response.toArray()) as Buffer[];
    return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
  };
  beforeAll(async () => {
    origin = new CountedOrigin();
    varnish = await startVarnish(await origin.start());
  });
  afterAll(async () => {
    agent.destroy();
    await varnish.close();
    await origin.close();
  });
  beforeEach(() => origin.asked.clear());

  it(`asks once for what ${VIEWERS} viewers wait for, playlist and part`, async () => {
    const { next, hint } = origin;
    const before = varnish.sleepers();
    const playlists = all(VIEWERS, get, next);
    const parts = all(VIEWERS, get, hint);
    // Its threads add to its counters when they find time; whoever is not counted yet sleeps all the same.
    await until('most to sleep', () => varnish.sleepers() - before > VIEWERS);
    await until('both to reach the origin', () => origin.stage.origin.waitingRequests === 2);
    origin.play(0.5);
    for (const answers of [await Promise.all(playlists), await Promise.all(parts)]) {
      expect([answers.length, statuses(answers), bodies(answers)]).toEqual([VIEWERS, [200], 1]);
    }
    expect([origin.asked.get(next), origin.asked.get(hint)]).toEqual([1, 1]);
  });

  everyProxy((path, headers) => get(path, headers));
});

describe('nginx in front', () => {
  let nginx: Proxy;
  let certificate: { key: string; cert: string };
  let sessions: http2.ClientHttp2Session[];
  let turn = 0;
  const get: Get = async (path, headers = {}) => {
    const session = sessions[(turn += 1) % sessions.length]!;
    const stream = session.request({ ':path': path, ...headers });
    const [response] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    const chunks = (await stream.toArray()) as Buffer[];
    return { status: Number(response[':status']), headers: response, body: Buffer.concat(chunks) };
  };
  beforeAll(async () => {
    const folder = await mkdtemp(`${os.tmpdir()}/laddercast-proxy-`);
    certificate = await selfSignedCertificate(folder);
    await rm(folder, { recursive: true });
    origin = new CountedOrigin();
    nginx = await startNginx(await origin.start(), certificate);
    sessions = Array.from({ length: 8 }, () =>
      http2.connect(`https://localhost:${nginx.port}`, { ca: certificate.cert, lookup: loopback }),
    );
  });
  afterAll(async () => {
    sessions.forEach((session) => session.destroy());
    await nginx.close();
    await origin.close();
  });
  beforeEach(() => origin.asked.clear());

  it(`asks once for a segment that ${VIEWERS} viewers want`, async () => {
    const answers = await Promise.all(all(VIEWERS, get, origin.segment));
    expect([answers.length, statuses(answers), bodies(answers)]).toEqual([VIEWERS, [200], 1]);
    expect(origin.asked.get(origin.segment)).toBe(1);
  });

  it('lets viewers wait for parts side by side, and keeps what came for those who are late', async () => {
    const { next, hint } = origin;
    const answers = [...all(100, get, next), ...all(100, get, hint)];
    await until('all to wait', () => origin.stage.origin.waitingRequests === 200);
    origin.play(0.5);
    expect(statuses(await Promise.all(answers))).toEqual([200]);
    const asked = [origin.asked.get(next), origin.asked.get(hint)];
    expect(statuses(await Promise.all([...all(50, get, next), ...all(50, get, hint)]))).toEqual([200]);
    expect([origin.asked.get(next), origin.asked.get(hint)]).toEqual(asked);
  });

  everyProxy((path, headers) => get(path, headers));
});

/** "localhost" may be ::1 first, where nginx does not listen. */
function loopback(
  _host: string,
  _options: object,
  found: (error: null, addresses: { address: string; family: number }[]) => void,
): void {
  found(null, [{ address: '127.0.0.1', family: 4 }]);
}
