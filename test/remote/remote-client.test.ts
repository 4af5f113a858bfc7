import type { LookupFunction } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AddressGuard } from '../../src/remote/address-guard.ts';
import { RemoteClient, type RemoteClientOptions } from '../../src/remote/remote-client.ts';
import type { RemoteResponse } from '../../src/remote/remote-response.ts';
import { parseRemoteUrl } from '../../src/remote/remote-url.ts';
import { until } from '../support/poll.ts';
import { RangeServer } from '../support/range-server.ts';

const FILE = Buffer.from('a film of a few bytes');

let server: RangeServer;
let inner: RangeServer;
let client: RemoteClient | undefined;
let failures: string[];
beforeEach(async () => {
  failures = [];
  [server, inner] = await Promise.all([RangeServer.start(FILE), RangeServer.start(Buffer.from('internal'))]);
});
afterEach(async () => {
  await client?.close();
  client = undefined;
  await Promise.all([server.close(), inner.close()]);
});

function open(options: Partial<RemoteClientOptions> = {}): RemoteClient {
  client = new RemoteClient({
    guard: new AddressGuard(['127.0.0.1']),
    onFailure: (detail) => failures.push(detail),
    ...options,
  });
  return client;
}

function get(
  url: string,
  { timeoutMs, signal }: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<RemoteResponse> {
  const limit = timeoutMs === undefined ? {} : { timeoutMs };
  return (client ?? open()).open({ target: parseRemoteUrl(url), signal, ...limit });
}

async function textOf(response: RemoteResponse): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of response.pieces()) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** Resolves every name to these addresses. */
function resolvingTo(...addresses: string[]): LookupFunction {
  return (_name, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
}

describe('RemoteClient', () => {
  it('fetches, and asks for bytes as they are', async () => {
    const response = await get(server.url('/film.mp4?token=1'));
    expect([response.status, response.header('etag'), await textOf(response)]).toEqual([200, '"v1"', FILE.toString()]);
    expect(server.seen[0]).toMatchObject({ path: '/film.mp4?token=1', headers: { 'accept-encoding': 'identity' } });
  });

  it('sends user name and password as a header to their own origin, not beyond a redirect', async () => {
    server.trick = ({ url }, response) => {
      if (url === '/moved') response.writeHead(302, { location: inner.url('/there') }).end();
      else if (url === '/near') response.writeHead(307, { location: '/film.mp4' }).end();
      else return false;
    };
    await textOf(await get(server.url('/near').replace('//', '//anna:p%40ss@')));
    expect(await textOf(await get(server.url('/moved').replace('//', '//anna:p%40ss@')))).toBe('internal');
    const basic = `Basic ${Buffer.from('anna:p@ss').toString('base64')}`;
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([basic, basic, basic]);
    expect(inner.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  it('connects to no literal address that is not public, and says so', async () => {
    open({ guard: new AddressGuard() });
    for (const url of [server.url(), server.url('/', '[::ffff:127.0.0.1]'), server.url('/', '2130706433')]) {
      await expect(get(url), url).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
    expect(server.seen).toEqual([]);
  });

  it.each([
    ['one private address', ['127.0.0.1']],
    ['a private address among public ones', ['93.184.216.34', '127.0.0.1']],
    ['a mapped address', ['::ffff:127.0.0.1']],
    ['a translated address', ['64:ff9b::7f00:1']],
    ['an address with a zone', ['fe80::1%lo']],
    ['no address', []],
  ])('connects to no name that resolves to %s, and does not tell why', async (_what, addresses) => {
    open({ guard: new AddressGuard(), lookup: resolvingTo(...addresses) });
    const refused = get(server.url('/film.mp4?token=secret', 'films.example'));
    await expect(refused).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(refused).rejects.toThrow(/cannot be fetched/);
    await expect(refused).rejects.not.toThrow(/127|secret|public|resolve/);
    expect(failures).toEqual([expect.stringMatching(/films\.example.*not public/)]);
    expect(failures[0]).not.toContain('secret');
    expect(server.seen).toEqual([]);
  });

  it('checks the address of each connection anew, so that a name cannot turn inwards', async () => {
    let answer = '127.0.0.1';
    const lookup: LookupFunction = (name, options, callback) => resolvingTo(answer)(name, options, callback);
    open({ lookup });
    server.trick = (_request, response) => void response.writeHead(200, { connection: 'close' }).end('outside');
    expect(await textOf(await get(server.url('/', 'films.example')))).toBe('outside');
    answer = '::1';
    await expect(get(server.url('/', 'films.example'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(server.seen).toHaveLength(1);
  });

  it.each(['127.0.0.2', '[::1]', '[::ffff:127.0.0.2]', '0x7f000002', 'localhost.example'])(
    'follows no redirect to %s',
    async (host) => {
      open({ lookup: resolvingTo('127.0.0.2') });
      server.trick = (_request, response) => void response.writeHead(302, { location: inner.url('/', host) }).end();
      const refused = get(server.url());
      await expect(refused).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(inner.seen).toEqual([]);
    },
  );

  it.each(['file:///etc/passwd', 'ftp://127.0.0.1/x', 'http://127.0.0.1:22/', 'http://', 'gopher://127.0.0.1/'])(
    'follows no redirect to %s',
    async (location) => {
      server.trick = (_request, response) => void response.writeHead(302, { location }).end();
      await expect(get(server.url())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    },
  );

  it('follows five redirects and not six', async () => {
    server.trick = ({ url }, response) => {
      const left = Number(url?.slice(1));
      if (left === 0) return false;
      response.writeHead(301, { location: `/${left - 1}` }).end('unread');
    };
    expect(await textOf(await get(server.url('/5')))).toBe(FILE.toString());
    await expect(get(server.url('/6'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(failures).toEqual([expect.stringContaining('more than 5 times')]);
    expect(server.seen).toHaveLength(12);
  });

  it('gives up a server that sends no headers', async () => {
    server.trick = () => undefined;
    await expect(open({ headersTimeoutMs: 300 }).open({ target: parseRemoteUrl(server.url()) })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });

  it('gives up a server that stops in the middle of a body', async () => {
    open({ idleTimeoutMs: 300 });
    server.trick = (_request, response) => void response.writeHead(200, { 'content-length': 100 }).write('begin');
    await expect(textOf(await get(server.url()))).rejects.toThrow();
  });

  it('gives up a server that never stops within the time for the whole', async () => {
    server.trick = (_request, response) => {
      const timer = setInterval(() => response.write('drop'), 20);
      response.on('close', () => clearInterval(timer));
    };
    await expect(textOf(await get(server.url(), { timeoutMs: 500 }))).rejects.toThrow();
    await until('the connection to close', async () => (await server.connections()) === 0);
  });

  it('ends at once when it is aborted: before, while it waits for its turn, for headers, or for a body', async () => {
    open({ maxPerHost: 1 });
    await expect(get(server.url(), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    server.trick = ({ url }, response) => (url === '/hang' ? undefined : void response.writeHead(200).write('begin'));
    const [hanging, waiting, reading] = [new AbortController(), new AbortController(), new AbortController()];
    const headers = get(server.url('/hang'), hanging);
    const queued = get(server.url('/queued'), waiting);
    waiting.abort();
    await expect(queued).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    hanging.abort();
    await expect(headers).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const body = textOf(await get(server.url('/body'), reading));
    reading.abort();
    await expect(body).rejects.toThrow();
    expect(server.seen.map(({ path }) => path)).not.toContain('/queued');
  });

  it('has no more requests to a host than it may, and goes on when a body is closed unread', async () => {
    open({ maxPerHost: 2 });
    server.trick = (_request, response) => void response.writeHead(200).write('begin');
    const [one, two] = await Promise.all([get(server.url('/1')), get(server.url('/2'))]);
    const third = get(server.url('/3'));
    await textOf(await get(inner.url('/other')));
    await turn();
    expect(server.seen.map(({ path }) => path)).toEqual(['/1', '/2']);
    one.close();
    one.close();
    (await third).close();
    two.close();
    expect(server.seen.map(({ path }) => path)).toEqual(['/1', '/2', '/3']);
  });

  it('survives a body that breaks while nobody reads it', async () => {
    server.trick = (_request, response) =>
      void response.writeHead(200, { 'content-length': 100 }).write('begin', () => response.destroy());
    const response = await get(server.url());
    await until('the connection to close', async () => (await server.connections()) === 0);
    await turn();
    response.close();
  });

  it('takes headers up to a limit', async () => {
    server.trick = (_request, response) => void response.writeHead(200, { 'x-long': 'x'.repeat(20_000) }).end();
    await expect(get(server.url())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('ends what goes on when it is closed', async () => {
    server.trick = (_request, response) => void response.writeHead(200).write('begin');
    const body = textOf(await get(server.url()));
    await client?.close();
    await client?.close();
    await expect(body).rejects.toThrow();
    await expect(get(server.url())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
