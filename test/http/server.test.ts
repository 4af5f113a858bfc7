import { once } from 'node:events';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { BroadcasterRegistry } from '../../src/broadcast/registry.ts';
import { HlsOrigin } from '../../src/hls/hls-origin.ts';
import { hlsRoutes } from '../../src/http/hls-routes.ts';
import { systemClock } from '../../src/util/clock.ts';
import type { HttpDeps } from '../../src/http/deps.ts';
import { listenHttp } from '../../src/http/server.ts';
import { AppError } from '../../src/util/errors.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { ADMIN, HttpFixture } from '../support/http-fixture.ts';

let fixture: HttpFixture;
afterEach(() => fixture.close());
const start = async (overrides?: Partial<HttpDeps>) => (fixture = await HttpFixture.create(overrides)).app;

const init = {
  kind: 'video',
  codec: 'avc1.64001f',
  timescale: 90_000,
  bytes: Buffer.alloc(0),
  width: 1280,
  height: 720,
} as const;
const publisher = {
  broadcast: 'live/demo',
  protocol: 'rtmp',
  remote: '192.0.2.7:5000',
  sinceMs: 0,
  stats: { frames: 9, bytes: 900, droppedFrames: 1, epoch: 2 },
} as const;

describe('access', () => {
  it.each([
    ['GET', '/api/v1/renditions'],
    ['POST', '/api/v1/renditions'],
    ['DELETE', '/api/v1/renditions/720p'],
    ['GET', '/api/v1/broadcasts'],
    ['GET', '/api/v1/broadcasts/live/demo'],
    ['DELETE', '/api/v1/broadcasts/live/demo'],
    ['GET', '/api/v1/archives'],
    ['DELETE', '/api/v1/archives/x'],
    ['GET', '/api/v1/events'],
    ['GET', '/api/v1/transcodes'],
    ['GET', '/api/v1/encoders'],
    ['GET', '/metrics'],
  ] as const)('to %s %s needs the admin token', async (method, url) => {
    const app = await start();
    for (const authorization of [
      undefined,
      '',
      'Bearer',
      'Bearer wrong',
      'Basic YTpi',
      `Bearer  x${ADMIN.authorization}`,
    ]) {
      const answer = await app.inject({ method, url, headers: authorization === undefined ? {} : { authorization } });
      expect(answer.json()).toMatchObject({ statusCode: 401, error: 'Unauthorized', code: 'UNAUTHORIZED' });
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    }
    expect(fixture.deps.ladders.list()[0]?.renditions).toHaveLength(1);
  });

  it('to pages, health and the API description is open', async () => {
    const app = await start();
    for (const url of ['/', '/watch/live/demo', '/healthz', '/readyz', '/docs', '/api/v1/openapi.json']) {
      expect([url, (await app.inject({ url })).statusCode]).toEqual([url, 200]);
    }
  });

  it('to metrics is open if the configuration says so', async () => {
    const app = await start({ publicMetrics: true });
    const answer = await app.inject({ url: '/metrics' });
    expect([answer.statusCode, answer.body]).toEqual([200, 'up 1\n']);
  });
});

describe('broadcasts', () => {
  it('show what publisher, registry and packager know', async () => {
    const app = await start({
      publishers: { list: () => [publisher], waiting: () => [], kick: () => true },
      origin: {
        describe: () => [
          {
            broadcast: 'live/demo',
            renditions: [{ name: '720p', state: 'playable', codecs: ['avc1.64001f'], averageKbps: 2400 }],
            warnings: ['keyframes every 8.3 s'],
          },
          { broadcast: 'live/over', renditions: [], warnings: [] },
        ],
      },
      viewers: { count: (broadcast) => (broadcast === 'live/demo' ? 3 : 0) },
    });
    fixture.deps.directory.open({ broadcast: 'live/demo', rendition: 'source', track: 'video' }, init);
    fixture.deps.directory.open({ broadcast: 'live/demo', rendition: '720p', track: 'video' }, init);
    const demo = {
      name: 'live/demo',
      state: 'live',
      playlist: '/hls/live/demo/index.m3u8',
      watch: '/watch/live/demo',
      viewers: 3,
      publisher: {
        protocol: 'rtmp',
        remote: '192.0.2.7:5000',
        since: '1970-01-01T00:00:00.000Z',
        frames: 9,
        bytes: 900,
        droppedFrames: 1,
        epoch: 2,
      },
      source: [{ track: 'video', codec: 'avc1.64001f', width: 1280, height: 720 }],
      renditions: [{ name: '720p', state: 'playable', codecs: ['avc1.64001f'], averageKbps: 2400 }],
      warnings: ['keyframes every 8.3 s'],
    };
    const list = await app.inject({ url: '/api/v1/broadcasts', headers: ADMIN });
    expect(list.json()).toEqual([demo, expect.objectContaining({ name: 'live/over', state: 'ended' })]);
    expect((await app.inject({ url: '/api/v1/broadcasts/live/demo', headers: ADMIN })).json()).toEqual(demo);
  });

  it('answer 404 for one that is not there', async () => {
    const app = await start();
    for (const method of ['GET', 'DELETE'] as const) {
      const answer = await app.inject({ method, url: '/api/v1/broadcasts/live/nobody', headers: ADMIN });
      expect(answer.json()).toMatchObject({ statusCode: 404, code: 'NOT_FOUND' });
    }
  });

  it('are ended by DELETE', async () => {
    const kicked: string[] = [];
    const app = await start({
      publishers: { list: () => [publisher], waiting: () => [], kick: (name) => kicked.push(name) > 0 },
    });
    const answer = await app.inject({ method: 'DELETE', url: '/api/v1/broadcasts/live/demo', headers: ADMIN });
    expect([answer.statusCode, kicked]).toEqual([204, ['live/demo']]);
  });
});

describe('transcodes and encoders', () => {
  it('are shown as the runner and the broker list them', async () => {
    const row = {
      factory: 'ffmpeg',
      rendition: '720p',
      broadcast: 'live/demo',
      track: 'video',
      state: 'running',
      pid: 7,
      encoder: 'libx264',
      fragmentsSeen: 10,
      fragmentsOut: 9,
      dropped: 0,
      panics: { start: 0, fragment: 1, stop: 0 },
      restarts: 2,
      speed: 1.01,
      lagMs: 33,
      bitrateKbps: 2400,
    } as const;
    const report = {
      ffmpeg: { path: '/usr/bin/ffmpeg', version: '5.1.9' },
      encoders: [{ name: 'h264_nvenc', listed: true, works: false, reason: 'Cannot load libcuda.so.1' }],
    };
    const app = await start({ runner: { list: () => [row] }, encoders: { report: () => Promise.resolve(report) } });
    expect((await app.inject({ url: '/api/v1/transcodes', headers: ADMIN })).json()).toEqual([row]);
    expect((await app.inject({ url: '/api/v1/encoders', headers: ADMIN })).json()).toEqual(report);
  });
});

describe('the server', () => {
  it('is alive but not ready while something is missing', async () => {
    const app = await start({ unreadyReason: () => 'encoders are being probed' });
    expect((await app.inject({ url: '/healthz' })).statusCode).toBe(200);
    expect((await app.inject({ url: '/readyz' })).json()).toMatchObject({
      statusCode: 503,
      code: 'UNAVAILABLE',
      message: 'not ready: encoders are being probed',
    });
  });

  it('answers unknown paths and methods in the same shape as every error', async () => {
    const app = await start();
    for (const url of ['/nope', '/api/v1/nope', '/assets/../package.json', '/assets/%2e%2e/package.json', '/watch/x']) {
      expect((await app.inject({ url, headers: ADMIN })).json()).toMatchObject({ statusCode: 404, code: 'NOT_FOUND' });
    }
    expect((await app.inject({ method: 'POST', url: '/healthz' })).json()).toMatchObject({ statusCode: 404 });
  });

  it('tells nothing of a fault of its own but logs it without the query', async () => {
    const logged: object[] = [];
    const app = await start({
      logger: { ...silentLogger, error: (fields) => logged.push(fields) },
      runner: {
        list: () => {
          throw new Error('the disk is on fire');
        },
      },
    });
    const answer = await app.inject({ url: '/api/v1/transcodes?key=hush', headers: ADMIN });
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain('fire');
    expect(logged).toMatchObject([{ method: 'GET', url: '/api/v1/transcodes', reason: 'the disk is on fire' }]);
    expect(JSON.stringify(logged)).not.toContain('hush');
  });

  it.each([
    ['/hls/live/%E0%A4%A/index.m3u8', 400],
    [`/hls/live/${'a'.repeat(300)}/index.m3u8`, 414],
  ])('lets any page read why playback was refused before it reached a route (%#)', async (url, statusCode) => {
    const origin = new HlsOrigin({ directory: new BroadcasterRegistry(), clock: systemClock, logger: silentLogger });
    const app = await start({ playback: (scope) => hlsRoutes(scope, { origin }) });
    const answer = await app.inject({ url });
    expect(answer.statusCode).toBe(statusCode);
    expect(answer.headers['access-control-allow-origin']).toBe('*');
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('describes the API from the schemas that validate', async () => {
    const app = await start();
    const document = (await app.inject({ url: '/api/v1/openapi.json' })).json<{
      openapi: string;
      paths: Record<string, Record<string, { requestBody?: { content: Record<string, { schema: object }> } }>>;
    }>();
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths).sort()).toEqual([
      '/api/v1/archives',
      '/api/v1/archives/{id}',
      '/api/v1/broadcasts',
      '/api/v1/broadcasts/{app}/{name}',
      '/api/v1/encoders',
      '/api/v1/events',
      '/api/v1/renditions',
      '/api/v1/renditions/{name}',
      '/api/v1/transcodes',
    ]);
    expect(
      document.paths['/api/v1/renditions']?.['post']?.requestBody?.content['application/json']?.schema,
    ).toMatchObject({
      additionalProperties: false,
      properties: { width: { type: 'integer', minimum: 16, maximum: 7680 } },
    });
  });

  it('lets playback answer for itself', async () => {
    const app = await start({
      playback: (scope) => void scope.get('/hls/*', () => Promise.reject(new AppError('GONE', 'it expired'))),
    });
    expect((await app.inject({ url: '/hls/live/x/index.m3u8' })).json()).toMatchObject({
      statusCode: 410,
      code: 'GONE',
    });
  });

  it('answers bytes that are no HTTP, and goes on', async () => {
    const app = await start();
    const { port } = await listenHttp(app, { host: '127.0.0.1', port: 0 });
    const socket = net.connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (data) => (text += data.toString()));
    socket.write('\x16\x03\x01\x02\x00 hello\r\n\r\n');
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[^]*"code":"BAD_REQUEST"/);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  });

  it('says what is in the way when it cannot listen', async () => {
    const app = await start();
    const other = net.createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as net.AddressInfo;
    await expect(listenHttp(app, { host: '127.0.0.1', port })).rejects.toThrow(/EADDRINUSE.*--http-port/);
    other.close();
  });
});
