import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { answerError } from '../../src/http/error-replies.ts';
import { relayRoutes } from '../../src/http/relay-routes.ts';
import { RelayChannel } from '../../src/relay/relay-channel.ts';
import { UrlSigner } from '../../src/relay/url-signer.ts';
import { UpstreamFailure } from '../../src/remote/upstream-failure.ts';
import { AppError } from '../../src/util/errors.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/poll.ts';
import { ScriptedSource } from '../support/relay-source.ts';
import { snapshotOf } from '../support/relay-snapshots.ts';

const TEXT = `#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:5
#EXT-X-KEY:METHOD=AES-128,URI="key?token=SECRET",IV=0x00000000000000000000000000000001
#EXTINF:2,
5.ts?token=SECRET
#EXTINF:2,
6.ts?token=SECRET
`;

let app: FastifyInstance | undefined;
afterEach(async () => app?.close());

async function serve() {
  const clock = new ManualClock();
  const source = new ScriptedSource(clock);
  const signer = new UrlSigner('secret');
  const relay = new RelayChannel({ name: 'news', upstream: source, signer, clock, logger: silentLogger });
  source.playlist('v0').push(snapshotOf([{ text: TEXT, era: 7 }]));
  let started = 0;
  const server = fastify({ forceCloseConnections: true });
  app = server;
  server.setErrorHandler<AppError>((error, request, reply) => answerError(error, request, reply, silentLogger));
  await server.register(relayRoutes, {
    ...{ signer, clock },
    channel: (name: string) => {
      started += 1;
      if (name !== 'news') throw new AppError('NOT_FOUND', `there is no source "${name}"`);
      return Promise.resolve(relay);
    },
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as AddressInfo;
  /** A path below `/relay/`, signed. */
  const signed = (path: string): string => `/relay/${path}?s=${signer.sign(path)}`;
  const request = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    new Promise<http.IncomingMessage>((resolve, reject) => {
      http.request({ host: '127.0.0.1', port, path, method, headers }, resolve).on('error', reject).end();
    });
  const get = async (path: string, headers?: Record<string, string>, method?: string) => {
    const response = await request(path, headers, method);
    return { status: response.statusCode, headers: response.headers, body: await buffer(response) };
  };
  const segment = (name = '7-5.ts') => {
    const media = source.asked.find(({ item }) => item.id === name.replace('.ts', ''));
    return media!;
  };
  return { clock, source, relay, signed, request, get, segment, started: () => started };
}

const SEGMENT = 'news/v0/7-5.ts';

describe('relay playlists over HTTP', () => {
  it('are served with their type, for a short time, to every origin, compressed', async () => {
    const { get, signed } = await serve();
    for (const path of ['/relay/news/index.m3u8', signed('news/v0/index.m3u8')]) {
      const { status, headers, body } = await get(path, { 'accept-encoding': 'gzip' });
      expect([status, headers['content-type']]).toEqual([200, 'application/vnd.apple.mpegurl']);
      expect(headers).toMatchObject({
        ...{ 'cache-control': 'max-age=1', 'access-control-allow-origin': '*', 'content-encoding': 'gzip' },
        'x-content-type-options': 'nosniff',
      });
      const text = gunzipSync(body).toString();
      expect(text.startsWith('#EXTM3U\n')).toBe(true);
      expect(text).not.toMatch(/SECRET|origin/);
      expect((await get(path, { 'if-none-match': headers.etag! })).status).toBe(304);
    }
  });

  it('name only what can be had', async () => {
    const { get, source, signed } = await serve();
    const { body } = await get(signed('news/v0/index.m3u8'));
    const uris = body.toString().match(/^[^#].*$|(?<=URI=")[^"]*/gm)!;
    expect(uris).toHaveLength(3);
    for (const uri of uris) {
      const asked = get(new URL(uri, 'http://x/relay/news/v0/').href.slice('http://x'.length));
      const media = await until('the request', () => source.asked.at(-1));
      media.bytes.append(Buffer.from('bytes'));
      media.bytes.finish();
      expect((await asked).body.toString()).toBe('bytes');
      source.asked.length = 0;
    }
  });

  it('hold no viewer whose signature is wrong, and start no source for it', async () => {
    const { get, signed, started } = await serve();
    const wrong = [SEGMENT, 'news/v0/index.m3u8', 'other/v0/index.m3u8'].flatMap((path) => [
      `/relay/${path}`,
      `/relay/${path}?s=`,
      `/relay/${path}?s=${'x'.repeat(22)}`,
      signed('news/v1/index.m3u8').replace('news/v1/index.m3u8', path),
      `${signed(path)}&s=1`,
    ]);
    for (const path of wrong) {
      const { status, headers, body } = await get(path);
      expect([path, status, headers['cache-control']]).toEqual([path, 403, 'no-store']);
      expect(JSON.parse(body.toString())).toMatchObject({ code: 'FORBIDDEN' });
    }
    expect(started()).toBe(0);
  });

  it('are not there for a source that is not registered', async () => {
    const { get, signed } = await serve();
    for (const path of ['/relay/other/index.m3u8', signed('other/v0/index.m3u8'), '/relay/', '/relay/news/a/b/c']) {
      expect([path, (await get(path)).status]).toEqual([path, 404]);
    }
  });

  it('refuse directives that make no sense, unless the playlist has ended', async () => {
    const { get, signed, source } = await serve();
    const path = `${signed('news/v0/index.m3u8')}&_HLS_part=1`;
    expect((await get(path)).status).toBe(400);
    source.playlist('v0').push({ ...snapshotOf([{ text: TEXT, era: 7 }]), ended: true });
    expect((await get(path)).status).toBe(200);
  });

  it('say when to come again while the source does not answer', async () => {
    const { get, signed, clock } = await serve();
    await get(signed('news/v0/index.m3u8'));
    clock.advance(32_000);
    const { status, headers } = await get(signed('news/v0/index.m3u8'));
    expect([status, headers['retry-after'], headers['cache-control']]).toEqual([503, '1', 'no-store']);
  });
});

describe('relayed media over HTTP', () => {
  it('begins with the first byte that the source gives, and may be kept', async () => {
    const { request, signed, source, segment } = await serve();
    const asked = request(signed(SEGMENT));
    await until('the request', () => source.asked.length === 1);
    segment().size = 10;
    segment().bytes.append(Buffer.from('first'));
    const response = await asked;
    expect(response.headers).toMatchObject({
      ...{ 'content-type': 'video/mp2t', 'content-length': '10', etag: '"7-5.ts"', 'accept-ranges': 'bytes' },
      'cache-control': 'max-age=64, immutable',
    });
    const first = await new Promise<Buffer>((resolve) => response.once('data', resolve));
    expect(first.toString()).toBe('first');
    segment().bytes.append(Buffer.from('other'));
    segment().bytes.finish();
    expect((await buffer(response)).toString()).toBe('other');
    await until('the release', () => segment().released);
  });

  it('is cut where the source fails, so that nobody takes it for whole', async () => {
    const { request, signed, source, segment } = await serve();
    for (const size of [undefined, 10]) {
      source.asked.length = 0;
      const asked = request(signed(SEGMENT));
      await until('the request', () => source.asked.length === 1);
      segment().size = size;
      segment().bytes.append(Buffer.from('first'));
      const response = await asked;
      segment().bytes.fail(new UpstreamFailure('network', 'SECRET'));
      await expect(buffer(response)).rejects.toThrow('aborted');
      await until('the release', () => segment().released);
    }
  });

  it('answers 404 or 503 when nothing has come yet, and tells no address', async () => {
    const { get, signed, source, segment } = await serve();
    const failures = [
      [new UpstreamFailure('status', 'SECRET 404', { status: 404 }), 404],
      [new UpstreamFailure('timeout', 'SECRET'), 503],
    ] as const;
    for (const [failure, expected] of failures) {
      source.asked.length = 0;
      const asked = get(signed(SEGMENT));
      await until('the request', () => source.asked.length === 1);
      segment().bytes.fail(failure);
      const { status, headers, body } = await asked;
      expect([status, headers['cache-control'], headers.etag]).toEqual([expected, 'no-store', undefined]);
      expect(body.toString()).not.toContain('SECRET');
      await until('the release', () => segment().released);
    }
  });

  it('tells viewers when the limit of connections is what is in their way', async () => {
    const { get, signed, source, segment } = await serve();
    const asked = get(signed(SEGMENT));
    await until('the request', () => source.asked.length === 1);
    segment().bytes.fail(new UpstreamFailure('busy', 'raise its maxConnections'));
    const { status, body } = await asked;
    expect([status, JSON.parse(body.toString())]).toEqual([
      503,
      expect.objectContaining({
        message: 'all connections that the source may have are in use; try again in a few seconds',
      }),
    ]);
  });

  it.each([
    ['bytes=0-', 206, 'bytes 0-9/10', '0123456789'],
    ['bytes=2-5', 206, 'bytes 2-5/10', '2345'],
    ['bytes=-3', 206, 'bytes 7-9/10', '789'],
    ['bytes=5-100', 206, 'bytes 5-9/10', '56789'],
    ['bytes=10-', 416, 'bytes */10', undefined],
    ['bytes=5-2', 200, undefined, '0123456789'],
  ])('gives the range %s with %i', async (range, status, contentRange, content) => {
    const { get, signed, source, segment } = await serve();
    for (const known of [true, false]) {
      source.asked.length = 0;
      const asked = get(signed(SEGMENT), { range });
      await until('the request', () => source.asked.length === 1);
      // Whether or not upstream tells how long it is.
      if (known) segment().size = 10;
      for (const piece of ['0123', '45', '6789']) segment().bytes.append(Buffer.from(piece));
      segment().bytes.finish();
      const answer = await asked;
      expect([answer.status, answer.headers['content-range']]).toEqual([status, contentRange]);
      if (content !== undefined) expect(answer.body.toString()).toBe(content);
      await until('the release', () => segment().released);
    }
  });

  it('answers HEAD with the length, and 304 to who has it, without fetching it', async () => {
    const { get, signed, source, segment } = await serve();
    const head = get(signed(SEGMENT), {}, 'HEAD');
    await until('the request', () => source.asked.length === 1);
    segment().bytes.append(Buffer.from('12345'));
    segment().bytes.finish();
    const { status, headers, body } = await head;
    expect([status, headers['content-length'], body.length]).toEqual([200, '5', 0]);
    expect((await get(signed(SEGMENT), { 'if-none-match': '"7-5.ts"' })).status).toBe(304);
    expect(source.asked.every(({ released }) => released)).toBe(true);
  });

  it('lets nobody in between keep a key', async () => {
    const { get, signed, source } = await serve();
    const asked = get(signed('news/v0/7-5-key0.key'));
    const media = await until('the request', () => source.asked[0]);
    media.bytes.append(Buffer.alloc(16, 7));
    media.bytes.finish();
    const { headers, body } = await asked;
    expect(body).toEqual(Buffer.alloc(16, 7));
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'content-type': 'application/octet-stream' });
    expect(headers.etag).toBeUndefined();
  });

  it('lets go of what a client wanted that has gone', async () => {
    const { request, signed, source, segment } = await serve();
    const asked = request(signed(SEGMENT));
    await until('the request', () => source.asked.length === 1);
    segment().bytes.append(Buffer.from('first'));
    const response = await asked;
    response.destroy();
    await until('the release', () => segment().released);
    expect(segment().bytes.state).toBe('loading');
  });

  it('drops a viewer that takes nothing for 15 s', async () => {
    const { request, signed, source, segment, clock } = await serve();
    const asked = request(signed(SEGMENT));
    await until('the request', () => source.asked.length === 1);
    // More than the kernel takes on loopback.
    for (let piece = 0; piece < 64; piece += 1) segment().bytes.append(Buffer.alloc(1024 * 1024));
    segment().bytes.finish();
    const response = await asked;
    const startMs = clock.nowMs();
    await until('the release', () => {
      clock.advance(1_000);
      return segment().released;
    });
    expect(clock.nowMs() - startMs).toBeGreaterThanOrEqual(15_000);
    await expect(buffer(response)).rejects.toThrow('aborted');
  });
});
