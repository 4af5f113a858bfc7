import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import tls from 'node:tls';
import path from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { ConnectionTable } from '../../src/http/connection-table.ts';
import { HTTP_LIMITS, stalledTimeoutMs } from '../../src/http/http-limits.ts';
import { selfSignedCertificate } from '../../src/http/self-signed.ts';
import { listenHttp, type HttpServerOptions } from '../../src/http/server.ts';
import type { HttpDeps } from '../../src/http/deps.ts';
import { connectByteReader } from '../support/byte-reader.ts';
import { HttpFixture } from '../support/http-fixture.ts';
import { until } from '../support/poll.ts';

let certificate: { key: string; cert: string };
beforeAll(async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-transport-'));
  certificate = await selfSignedCertificate(folder);
  await rm(folder, { recursive: true });
});

let fixture: HttpFixture | undefined;
const clients: { destroy(): void }[] = [];
afterEach(async () => {
  clients.splice(0).forEach((client) => client.destroy());
  await fixture?.close();
  fixture = undefined;
});

/** More than the buffers between two sockets of this machine ever take. */
const HUGE = Buffer.alloc(64 * 1024 * 1024);

/** Gone requests, and requests that are held. */
interface Held {
  readonly held: Set<string>;
}

async function serve(options: HttpServerOptions): Promise<{ port: number; fixture: HttpFixture } & Held> {
  const held = new Set<string>();
  const playback: HttpDeps['playback'] = (app) => {
    app.get('/hls/held', (request) => {
      held.add(request.id);
      request.signal.addEventListener('abort', () => held.delete(request.id));
      return new Promise(() => undefined);
    });
    app.get('/hls/huge', (_, reply) => reply.send(HUGE));
  };
  fixture = await HttpFixture.create({ playback }, options);
  const { port } = await listenHttp(fixture.app, { host: '127.0.0.1', port: 0 });
  return { port, fixture, held };
}

const secure = (options: HttpServerOptions = {}) => serve({ tls: certificate, ...options });

function connect2(port: number): http2.ClientHttp2Session {
  const session = http2.connect(`https://localhost:${port}`, { ca: certificate.cert });
  session.on('error', () => undefined);
  clients.push(session);
  return session;
}

async function get2(session: http2.ClientHttp2Session, url: string): Promise<[number | undefined, string]> {
  const stream = session.request({ ':path': url });
  stream.setEncoding('utf8');
  let body = '';
  stream.on('data', (chunk: string) => (body += chunk));
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders & { ':status'?: number }];
  await once(stream, 'end');
  return [headers[':status'], body];
}

async function get1(port: number, url: string): Promise<{ status: number | undefined; alpn: unknown }> {
  const agent = new https.Agent({ ca: certificate.cert, ALPNProtocols: ['http/1.1'] });
  const request = https.get({ host: 'localhost', port, path: url, agent });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  agent.destroy();
  return { status: response.statusCode, alpn: (request.socket as tls.TLSSocket).alpnProtocol };
}

describe('the TLS port', () => {
  it('speaks HTTP/2 and HTTP/1.1', async () => {
    const { port } = await secure();
    const session = connect2(port);
    expect(await get2(session, '/healthz')).toEqual([200, '{"status":"ok"}']);
    expect(session.alpnProtocol).toBe('h2');
    expect(await get1(port, '/healthz')).toEqual({ status: 200, alpn: 'http/1.1' });
  });

  it('tells its limits to HTTP/2 clients', async () => {
    const { port } = await secure();
    const session = connect2(port);
    const [settings] = (await once(session, 'remoteSettings')) as [http2.Settings];
    expect(settings).toMatchObject({ maxConcurrentStreams: 128, maxHeaderListSize: 16 * 1024 });
  });

  it('takes WebSockets', async () => {
    const { port, fixture } = await secure();
    const sockets = new WebSocketServer({ noServer: true });
    fixture.app.server.on('upgrade', (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, (client) => client.send('hello'));
    });
    const socket = new WebSocket(`wss://localhost:${port}/x`, { ca: certificate.cert });
    const [message] = (await once(socket, 'message')) as [Buffer];
    expect(message.toString()).toBe('hello');
    socket.terminate();
  });

  it('has the same time limits as the plain one', async () => {
    const { fixture } = await secure();
    expect(fixture.app.server).toMatchObject({
      maxConnections: HTTP_LIMITS.maxConnections,
      headersTimeout: HTTP_LIMITS.headersTimeoutMs,
      requestTimeout: HTTP_LIMITS.requestTimeoutMs,
      keepAliveTimeout: HTTP_LIMITS.keepAliveTimeoutMs,
      timeout: HTTP_LIMITS.stalledTimeoutMs,
    });
  });

  it('refuses versions of TLS before 1.2', async () => {
    const { port } = await secure();
    const options = {
      port,
      host: 'localhost',
      ca: certificate.cert,
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
    } as const;
    const socket = tls.connect({ ...options, ciphers: 'DEFAULT@SECLEVEL=0' });
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toMatch(/protocol version|unsupported protocol|no protocols available/i);
  });

  it('outlives a flood of requests that are taken back at once', async () => {
    const { port, held } = await secure();
    const session = connect2(port);
    await once(session, 'connect');
    for (let round = 0; round < 30 && !session.closed && !session.destroyed; round += 1) {
      for (let index = 0; index < 100; index += 1) {
        const stream = session.request({ ':path': '/hls/held' });
        stream.on('error', () => undefined);
        stream.close(http2.constants.NGHTTP2_CANCEL);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await get2(connect2(port), '/healthz')).toEqual([200, '{"status":"ok"}']);
    await until('held requests to be gone', () => held.size === 0);
  });

  it('refuses headers beyond the limit, on both protocols', async () => {
    const { port } = await secure();
    const session = connect2(port);
    // The limit holds once the client has confirmed it.
    await get2(session, '/healthz');
    const stream = session.request({ ':path': '/healthz', 'x-long': 'x'.repeat(40_000) });
    await expect(once(stream, 'response')).rejects.toThrow();
    const request = https.get({
      host: 'localhost',
      port,
      ca: certificate.cert,
      headers: { 'x-long': 'x'.repeat(40_000) },
    });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(431);
    expect(response.headers['access-control-allow-origin']).toBe('*');
    request.destroy();
  });
});

describe('closing', () => {
  it('does not wait for held requests of either protocol', async () => {
    const { port, fixture, held } = await secure();
    const stream = connect2(port).request({ ':path': '/hls/held' });
    stream.on('error', () => undefined);
    const request = https.get({ host: 'localhost', port, path: '/hls/held', ca: certificate.cert });
    request.on('error', () => undefined);
    await until('both to be held', () => held.size === 2);
    await fixture.app.close();
    await until('both to be gone', () => held.size === 0);
  });
});

describe('a client that does not read', () => {
  it('is cut on HTTP/1.1', async () => {
    const { port } = await serve({ stalledMs: 300 });
    const socket = net.connect(port, '127.0.0.1');
    clients.push(socket);
    socket.on('error', () => undefined);
    socket.write('GET /hls/huge HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'readable');
    await untilNobodyIsConnected();
  });

  it('is cut though it takes a byte now and then', async () => {
    const { port } = await serve({ stalledMs: 300 });
    let bytes = 0;
    const socket = connectByteReader(port, { pauseMs: 20, onByte: () => (bytes += 1) });
    clients.push(socket);
    socket.write('GET /hls/huge HTTP/1.1\r\nHost: a\r\n\r\n');
    await until('some bytes', () => bytes > 5);
    await untilNobodyIsConnected();
    expect(bytes).toBeLessThan(10_000);
  });

  it('is cut on HTTP/2', async () => {
    const { port } = await secure({ stalledMs: 300 });
    const stream = connect2(port).request({ ':path': '/hls/huge' });
    stream.on('error', () => undefined);
    await once(stream, 'response');
    stream.pause();
    await untilNobodyIsConnected();
  });

  it('is told from one whose answer is held back', () => {
    expect(stalledTimeoutMs(9_000)).toBe(30_000);
    expect(stalledTimeoutMs(45_000)).toBe(60_000);
  });

  async function untilNobodyIsConnected(): Promise<void> {
    const { server } = fixture!.app;
    const count = (): Promise<number> =>
      new Promise((resolve) => server.getConnections((_, connections) => resolve(connections)));
    expect(await count()).toBe(1);
    await until('the connection to be cut', async () => (await count()) === 0);
  }
});

describe('connections of one address', () => {
  const socketOf = (remoteAddress: string | undefined) =>
    Object.assign(new EventEmitter(), {
      remoteAddress,
      destroyed: false,
      destroy(this: EventEmitter & { destroyed: boolean }) {
        this.destroyed = true;
        this.emit('close');
      },
    });
  const open = (server: EventEmitter, address: string | undefined) => {
    const socket = socketOf(address);
    server.emit('connection', socket);
    return socket;
  };

  it('are limited, those of this machine are not', () => {
    const server = new net.Server();
    const table = new ConnectionTable(server, 2);
    const [first, second, third] = [1, 2, 3].map(() => open(server, '192.0.2.1'));
    expect([first, second, third].map((socket) => socket?.destroyed)).toEqual([false, false, true]);
    expect(open(server, '192.0.2.2').destroyed).toBe(false);
    expect(
      ['127.0.0.1', '::ffff:127.0.0.1', '::1'].flatMap((address) =>
        [1, 2, 3].map(() => open(server, address).destroyed),
      ),
    ).not.toContain(true);
    expect(open(server, undefined).destroyed).toBe(true);
    first?.destroy();
    expect(open(server, '192.0.2.1').destroyed).toBe(false);
    expect(table.size).toBe(12);
    table.destroyAll();
    expect(table.size).toBe(0);
  });

  it('are forgotten when they end, over TLS too', async () => {
    const server = tls.createServer(certificate, (socket) => socket.end('x')).listen(0, '127.0.0.1');
    const table = new ConnectionTable(server, 2);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const socket = tls.connect({ port, host: 'localhost', ca: certificate.cert });
    await once(socket, 'data');
    expect(table.size).toBe(1);
    socket.destroy();
    await until('it to be forgotten', () => table.size === 0);
    server.close();
  });
});
