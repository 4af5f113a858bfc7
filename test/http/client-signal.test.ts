import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import http2 from 'node:http2';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { clientSignal } from '../../src/http/client-signal.ts';
import { selfSignedCertificate } from '../../src/http/self-signed.ts';
import { listenHttp } from '../../src/http/server.ts';
import { deferred } from '../../src/util/deferred.ts';
import { HttpFixture } from '../support/http-fixture.ts';
import { until } from '../support/poll.ts';

let certificate: { key: string; cert: string };
beforeAll(async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-signal-'));
  certificate = await selfSignedCertificate(folder);
  await rm(folder, { recursive: true });
});

let fixture: HttpFixture | undefined;
const clients: { destroy(): void }[] = [];
afterEach(async () => {
  clients.splice(0).forEach((client) => client.destroy());
  await fixture?.close();
});

/** A request with a body, sent whole, of which nothing is read but its status. */
type Post = () => { readonly status: Promise<number | undefined>; leave(): void };

async function serve(isSecure: boolean, answer: Promise<string>) {
  const signals: AbortSignal[] = [];
  fixture = await HttpFixture.create(
    {
      playback: (app) => {
        app.post('/hls/held', (_request, reply) => {
          signals.push(clientSignal(reply));
          return answer;
        });
      },
    },
    isSecure ? { tls: certificate } : {},
  );
  const { port } = await listenHttp(fixture.app, { host: '127.0.0.1', port: 0 });
  return { signals, post: isSecure ? post2(port) : post1(port) };
}

function post1(port: number): Post {
  return () => {
    const headers = { 'content-type': 'application/json' };
    const request = http.request({ ...{ port, path: '/hls/held', method: 'POST', headers, agent: false } });
    request.on('error', () => undefined);
    clients.push(request);
    request.end('{"a":1}');
    const status = once(request, 'response').then(([response]) => (response as http.IncomingMessage).statusCode);
    status.catch(() => undefined);
    return { status, leave: () => void request.destroy() };
  };
}

function post2(port: number): Post {
  const session = http2.connect(`https://localhost:${port}`, { ca: certificate.cert });
  session.on('error', () => undefined);
  clients.push(session);
  return () => {
    const stream = session.request({ ':path': '/hls/held', ':method': 'POST', 'content-type': 'application/json' });
    stream.on('error', () => undefined).end('{"a":1}');
    const status = once(stream, 'response').then(([headers]) => (headers as { ':status'?: number })[':status']);
    status.catch(() => undefined);
    return { status, leave: () => stream.close(http2.constants.NGHTTP2_CANCEL) };
  };
}

describe.each([
  ['HTTP/1.1', false],
  ['HTTP/2', true],
])('the signal of a client over %s', (_protocol, isSecure) => {
  it('does not abort when a body has been read, nor when the client has its answer', async () => {
    const answer = deferred<string>();
    const { signals, post } = await serve(isSecure, answer.promise);
    const { status } = post();
    await until('the request', () => signals.length === 1);
    answer.resolve('an answer');
    expect(await status).toBe(200);
    const second = post();
    expect(await second.status).toBe(200);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
  });

  it('aborts when the client goes before it is answered', async () => {
    const { signals, post } = await serve(isSecure, new Promise(() => undefined));
    const [leaving, staying] = [post(), post()];
    await until('both requests', () => signals.length === 2);
    leaving.leave();
    await until('the end of one', () => signals.some(({ aborted }) => aborted));
    expect(signals.filter(({ aborted }) => aborted)).toHaveLength(1);
    staying.leave();
    await until('the end of both', () => signals.every(({ aborted }) => aborted));
  });
});
