import type http from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AddressGuard } from '../../../src/remote/address-guard.ts';
import { RemoteClient } from '../../../src/remote/remote-client.ts';
import { parseRemoteUrl, type RemoteUrl } from '../../../src/remote/remote-url.ts';
import { SourceFetcher, type SourceFetcherOptions } from '../../../src/upstream/pool/source-fetcher.ts';
import { systemClock as clock } from '../../../src/util/clock.ts';
import { until } from '../../support/poll.ts';
import { RangeServer } from '../../support/range-server.ts';

const TEXT = '#EXTM3U\n#EXT-X-TARGETDURATION:2\n';

let server: RangeServer;
let other: RangeServer;
let client: RemoteClient;
beforeEach(async () => {
  [server, other] = await Promise.all([RangeServer.start(Buffer.from(TEXT)), RangeServer.start(Buffer.from('other'))]);
  client = new RemoteClient({ guard: new AddressGuard(['127.0.0.0/8']) });
});
afterEach(async () => {
  await client.close();
  await Promise.all([server.close(), other.close()]);
});

function at(path = '/index.m3u8', from: RangeServer = server): RemoteUrl {
  return parseRemoteUrl(from.url(path));
}

function fetcher(options: Partial<SourceFetcherOptions> = {}): SourceFetcher {
  return new SourceFetcher({ client, clock, addresses: [at()], ...options });
}

function answer(headers: http.OutgoingHttpHeaders, body: Buffer | string = '', status = 200): void {
  server.trick = (_request, response) => void response.writeHead(status, headers).end(body);
}

/** Sends without an end, as fast as it is taken. */
function endless(chunk: Buffer, headers: http.OutgoingHttpHeaders = {}): void {
  server.trick = (_request, response) => {
    const send = (): void => {
      while (!response.destroyed && response.write(chunk));
      if (!response.destroyed) response.once('drain', send);
    };
    response.writeHead(200, headers);
    send();
  };
}

async function allClosed(): Promise<void> {
  await until('all connections to close', async () => (await server.connections()) === 0);
}

describe('a text', () => {
  it('comes with where it came from and its version', async () => {
    server.trick = ({ url }, response) =>
      url === '/old' ? void response.writeHead(302, { location: '/new?token=1' }).end() : false;
    expect(await fetcher().text(at('/old'))).toEqual({
      ...{ status: 'ok', text: TEXT, validators: { etag: '"v1"', lastModified: undefined } },
      finalUrl: new URL(server.url('/new?token=1')),
    });
  });

  it('does not come again as long as it is what it was', async () => {
    const lastModified = 'Sat, 21 Nov 2026 12:00:00 GMT';
    server.trick = ({ headers }, response) => {
      const isSame = headers['if-none-match'] === '"v1"' && headers['if-modified-since'] === lastModified;
      if (!isSame) return false;
      response.writeHead(304).end();
    };
    const validators = { etag: '"v1"', lastModified };
    expect(await fetcher().text(at(), { validators })).toEqual({ status: 'unchanged' });
    expect(await fetcher().text(at(), { validators: { ...validators, etag: '"v0"' } })).toMatchObject({ status: 'ok' });
    // Nobody asked for that.
    answer({}, '', 304);
    await expect(fetcher().text(at())).rejects.toMatchObject({ kind: 'status', status: 304 });
  });

  it('may come compressed', async () => {
    answer({ 'content-encoding': 'gzip' }, gzipSync(TEXT));
    expect(await fetcher().text(at())).toMatchObject({ text: TEXT });
    expect(server.seen[0]?.headers['accept-encoding']).toBe('gzip');
    answer({ 'content-encoding': 'gzip' }, 'no gzip');
    await expect(fetcher().text(at())).rejects.toMatchObject({ kind: 'bad-answer' });
    answer({ 'content-encoding': 'gzip' }, gzipSync(TEXT).subarray(0, 20));
    await expect(fetcher().text(at())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    answer({ 'content-encoding': 'br' }, 'whatever');
    await expect(fetcher().text(at())).rejects.toMatchObject({ kind: 'bad-answer' });
  });

  it('is unpacked no further than its limit', async () => {
    const limit = 2 * 2 ** 20;
    answer({ 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(limit, 'a')));
    expect(await fetcher().text(at())).toMatchObject({ text: 'a'.repeat(limit) });
    answer({ 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(limit + 1, 'a')));
    await expect(fetcher().text(at())).rejects.toMatchObject({ kind: 'too-large' });
    // 200 MB in 200 kB.
    answer({ 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(200 * 2 ** 20), { level: 1 }));
    const before = process.memoryUsage().rss;
    await expect(fetcher().text(at())).rejects.toMatchObject({ kind: 'too-large' });
    expect(process.memoryUsage().rss - before).toBeLessThan(60 * 2 ** 20);
  });

  it('is refused at its head if it is too large, and given up if it never ends', async () => {
    server.trick = (_request, response) => void response.writeHead(200, { 'content-length': 2 ** 31 }).write('begin');
    await expect(fetcher().text(at())).rejects.toMatchObject({ kind: 'too-large' });
    await allClosed();
    endless(Buffer.alloc(16_384, 'a'));
    await expect(fetcher().text(at())).rejects.toMatchObject({ kind: 'too-large' });
    await allClosed();
    endless(gzipSync(Buffer.alloc(0)), { 'content-encoding': 'gzip' });
    await expect(fetcher().text(at())).rejects.toMatchObject({ kind: 'too-large' });
    await allClosed();
  });

  it('is given up when the whole takes too long, however steadily it drips', async () => {
    server.trick = (_request, response) => {
      const timer = setInterval(() => response.write('#'), 20);
      response.on('close', () => clearInterval(timer));
    };
    await expect(fetcher().text(at(), { timeoutMs: 300 })).rejects.toMatchObject({ kind: 'timeout' });
    await allClosed();
  });

  it.each([403, 404, 500, 503])('tells that its server answers with status %i', async (status) => {
    answer({}, 'a page with secrets', status);
    const refused = fetcher().text(at('/index.m3u8?token=secret'));
    await expect(refused).rejects.toMatchObject({ code: 'UNAVAILABLE', kind: 'status', status });
    await expect(refused).rejects.toThrow(new RegExp(`index\\.m3u8" cannot be fetched: .* status ${status}$`));
  });

  it('tells a server that is not there from one that may not be reached', async () => {
    server.trick = (_request, response) => void response.writeHead(302, { location: 'http://192.168.0.1/' }).end();
    await expect(fetcher().text(at())).rejects.toMatchObject({ kind: 'blocked' });
    server.trick = (_request, response) => response.destroy();
    await expect(fetcher().text(at())).rejects.toMatchObject({ kind: 'network', isTemporary: true });
    await expect(fetcher().text(at(), { signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'aborted' });
  });

  it('is not looked for in circles', async () => {
    server.trick = (_request, response) => void response.writeHead(302, { location: '/again' }).end();
    await expect(fetcher().text(at())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(server.seen).toHaveLength(6);
  });
});

describe('what a request carries', () => {
  const headers = { Referer: 'https://tv.example/', Authorization: 'Bearer secret', Cookie: 'id=secret' };

  it('is what was configured, and credentials only to the addresses of the source', async () => {
    const source = fetcher({ headers, userAgent: 'TV/1.0' });
    await source.text(at());
    await source.text(at('/0.ts', other));
    expect(server.seen[0]?.headers).toMatchObject({
      ...{
        referer: 'https://tv.example/',
        authorization: 'Bearer secret',
        cookie: 'id=secret',
        'user-agent': 'TV/1.0',
      },
    });
    expect(other.seen[0]?.headers).toMatchObject({ referer: 'https://tv.example/', 'user-agent': 'TV/1.0' });
    expect(other.seen[0]?.headers).not.toHaveProperty('authorization');
    expect(other.seen[0]?.headers).not.toHaveProperty('cookie');
  });

  it('loses its credentials for good when it is redirected elsewhere', async () => {
    server.trick = ({ url }, response) =>
      url === '/away' ? void response.writeHead(302, { location: other.url('/back') }).end() : false;
    other.trick = (_request, response) => void response.writeHead(302, { location: server.url('/home') }).end();
    await fetcher({ headers }).text(at('/away'));
    const carried = [server.seen[0], other.seen[0], server.seen[1]].map((seen) => [
      seen?.headers.authorization,
      seen?.headers.cookie,
      seen?.headers.referer,
    ]);
    expect(carried).toEqual([
      ['Bearer secret', 'id=secret', 'https://tv.example/'],
      [undefined, undefined, 'https://tv.example/'],
      [undefined, undefined, 'https://tv.example/'],
    ]);
  });

  it('has the user name and password of an address for all of its origin', async () => {
    const address = parseRemoteUrl(server.url().replace('//', '//anna:p%40ss@'));
    const source = fetcher({ addresses: [address] });
    await source.text(address);
    await source.text(at('/0.ts'));
    await source.text(at('/0.ts', other));
    const basic = `Basic ${Buffer.from('anna:p@ss').toString('base64')}`;
    expect(server.seen.map((seen) => seen.headers.authorization)).toEqual([basic, basic]);
    expect(other.seen[0]?.headers.authorization).toBeUndefined();
  });

  it.each([
    'Host',
    'content-length',
    'Transfer-Encoding',
    'Connection',
    'Upgrade',
    'TE',
    'Range',
    'Proxy-Authorization',
  ])('cannot be %s', (name) => {
    expect(() => fetcher({ headers: { [name]: 'x' } })).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });

  it('has no line breaks in it', () => {
    expect(() => fetcher({ headers: { 'x-a': 'b\r\nhost: evil' } })).toThrow(/not printable/);
    expect(() => fetcher({ headers: { 'x a': 'b' } })).toThrow(/cannot be chosen/);
  });
});

describe('the connections of a source', () => {
  it('are no more than it may have, whatever host they lead to', async () => {
    const source = fetcher({ maxConnections: 2 });
    for (const each of [server, other]) {
      each.trick = (_request, response) => void response.writeHead(200).write('begin');
    }
    const [one, two] = await Promise.all([source.open(at('/1')), source.open(at('/2', other))]);
    const third = source.open(at('/3', other));
    await turn();
    expect([source.scope.isFull, other.seen.length]).toEqual([true, 1]);
    one.close();
    (await third).close();
    two.close();
    await until('all of them to be given back', () => !source.scope.isFull);
  });

  it('may become more while some wait, and fewer', async () => {
    const source = fetcher({ maxConnections: 1 });
    server.trick = (_request, response) => void response.writeHead(200).write('begin');
    const only = await source.open(at('/1'));
    const others = [source.open(at('/2')), source.open(at('/3')), source.open(at('/4'))];
    source.scope.limitTo(3);
    const [two, three] = await Promise.all(others.slice(0, 2));
    source.scope.limitTo(2);
    only.close();
    await turn();
    expect([source.scope.isFull, server.seen.length]).toEqual([true, 3]);
    two!.close();
    (await others[2])!.close();
    three!.close();
  });

  it('are given to what somebody waits for first, also if that changes while it waits', async () => {
    const source = fetcher({ maxConnections: 1 });
    server.trick = (_request, response) => void response.writeHead(200).write('begin');
    const first = await source.open(at('/first'));
    const priorities = new Map<string, 'asked' | 'prefetch'>([
      ['/ahead', 'prefetch'],
      ['/promoted', 'prefetch'],
      ['/asked', 'asked'],
    ]);
    const opened = [...priorities.keys()].map(async (path) => {
      const response = await source.open(at(path), { priority: () => priorities.get(path) ?? 'asked' });
      response.close();
    });
    priorities.set('/promoted', 'asked');
    first.close();
    await Promise.all(opened);
    expect(server.seen.map(({ path }) => path)).toEqual(['/first', '/promoted', '/asked', '/ahead']);
  });

  it('are told apart from a slow server when there is none in time', async () => {
    const source = fetcher({ maxConnections: 1 });
    server.trick = (_request, response) => void response.writeHead(200).write('begin');
    const only = await source.open(at('/only'));
    await expect(source.text(at(), { timeoutMs: 50 })).rejects.toMatchObject({ kind: 'busy', isTemporary: false });
    expect(server.seen).toHaveLength(1);
    only.close();
  });
});
