import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AddressGuard } from '../../src/remote/address-guard.ts';
import { RemoteClient } from '../../src/remote/remote-client.ts';
import { RemoteFile } from '../../src/remote/remote-file.ts';
import { inspectRemote, type RemoteFacts } from '../../src/remote/remote-range.ts';
import { parseRemoteUrl } from '../../src/remote/remote-url.ts';
import { RangeServer } from '../support/range-server.ts';

const FILE = Buffer.from(Uint32Array.from({ length: 800_000 }, (_, index) => index * 2_654_435_761).buffer);
const BLOCK = 256 * 1024;

let server: RangeServer;
let client: RemoteClient;
let failures: string[];
beforeEach(async () => {
  failures = [];
  server = await RangeServer.start(FILE);
  client = new RemoteClient({
    guard: new AddressGuard(['127.0.0.1']),
    idleTimeoutMs: 300,
    onFailure: (detail) => failures.push(detail),
  });
});
afterEach(async () => {
  await client.close();
  await server.close();
});

function inspect(): Promise<RemoteFacts> {
  return inspectRemote(client, parseRemoteUrl(server.url()));
}

async function open(): Promise<RemoteFile> {
  const file = new RemoteFile(client, await inspect());
  server.seen.length = 0;
  return file;
}

function ranges(): (string | undefined)[] {
  return server.seen.map(({ range }) => range);
}

describe('inspectRemote', () => {
  it('learns size and version from one byte', async () => {
    expect(await inspect()).toMatchObject({ sizeBytes: FILE.length, etag: '"v1"', lastModified: undefined });
    expect(ranges()).toEqual(['bytes=0-1023']);
  });

  it('refuses a server that sends the whole, without reading it', async () => {
    server.trick = (_request, response) => {
      const endless = (): void => void response.write(Buffer.alloc(65_536), (error) => error ?? endless());
      response.writeHead(200);
      endless();
    };
    await expect(inspect()).rejects.toMatchObject({ code: 'BAD_MEDIA' });
    await expect(inspect()).rejects.toThrow(/parts of files/);
  });

  it.each<[string, number, Record<string, string>]>([
    ['a part that is another one', 206, { 'content-range': 'bytes 5-5/100' }],
    ['a part of unknown size', 206, { 'content-range': 'bytes 0-0/*' }],
    ['a part of an absurd size', 206, { 'content-range': 'bytes 0-0/999999999999999' }],
    ['a part without saying which', 206, {}],
    ['several parts', 206, { 'content-type': 'multipart/byteranges; boundary=x' }],
    ['packed bytes', 206, { 'content-range': 'bytes 0-0/100', 'content-encoding': 'gzip' }],
    ['nothing found', 404, {}],
    ['a login', 401, {}],
    ['an error', 500, {}],
    ['a redirect to nowhere', 302, {}],
    ['not modified', 304, {}],
  ])('refuses %s, without telling what it was', async (_what, status, headers) => {
    server.trick = (_request, response) => void response.writeHead(status, headers).end(status === 304 ? '' : 'x');
    const refused = inspect();
    await expect(refused).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(refused).rejects.not.toThrow(String(status));
    expect(failures).toHaveLength(1);
  });

  it.each([
    ['says so', 416, { 'content-range': 'bytes */0' }],
    ['serves no parts of it', 200, { 'content-length': '0' }],
  ])('refuses an empty file if the server %s', async (_what, status, headers) => {
    server.trick = (_request, response) => void response.writeHead(status, headers).end();
    await expect(inspect()).rejects.toThrow(/is empty/);
  });
});

describe('RemoteFile', () => {
  it('gives any part, and nothing beyond the end', async () => {
    const file = await open();
    for (const [offset, length] of [
      [0, 8],
      [BLOCK - 3, 10],
      [5, 1_000_000],
      [FILE.length - 5, 100],
      [0, FILE.length],
    ] as const) {
      expect(Buffer.compare(await file.read(offset, length), FILE.subarray(offset, offset + length)), `${offset}`).toBe(
        0,
      );
    }
    expect(await file.read(FILE.length, 10)).toHaveLength(0);
    expect(await file.read(10, 0)).toHaveLength(0);
    expect(file.sizeBytes).toBe(FILE.length);
  });

  it('fetches blocks once while they are near, and keeps a few only', async () => {
    const file = await open();
    await Promise.all([file.read(0, 10), file.read(100, 10)]);
    for (const block of [1, 2, 3, 0, 1]) await file.read(block * BLOCK + 7, 5);
    expect(ranges()).toEqual([0, 1, 2, 3].map((block) => `bytes=${block * BLOCK}-${(block + 1) * BLOCK - 1}`));
    await file.read(4 * BLOCK, 5);
    await file.read(0, 5);
    await file.read(2 * BLOCK, 5);
    expect(server.seen).toHaveLength(6);
  });

  it('fetches a long part at once', async () => {
    const file = await open();
    await file.read(1_000, 2_000_000);
    expect(ranges()).toEqual(['bytes=1000-2000999']);
  });

  it('takes up a connection that breaks where it broke, a few times', async () => {
    const file = await open();
    server.trick = (request, response) => server.serve(request, response, 700_000);
    const bytes = await file.read(0, 2_000_000);
    expect(Buffer.compare(bytes, FILE.subarray(0, 2_000_000))).toBe(0);
    expect(server.seen.length).toBeGreaterThan(2);
    server.trick = (request, response) => server.serve(request, response, 10);
    await expect(file.read(0, 2_000_000)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('gives up a server that stops in the middle', async () => {
    const file = await open();
    server.trick = (_request, response) =>
      void response.writeHead(206, { 'content-range': `bytes 0-${BLOCK - 1}/${FILE.length}` }).write('begin');
    await expect(file.read(0, 10)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('does not take a failure for the bytes of a block', async () => {
    const file = await open();
    server.trick = (_request, response) => void response.writeHead(500).end();
    await expect(file.read(0, 10)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    server.trick = () => false;
    expect(await file.read(0, 10)).toEqual(FILE.subarray(0, 10));
  });

  it('takes no more than it asked for, and no less', async () => {
    const file = await open();
    const head = { 'content-range': `bytes 0-${BLOCK - 1}/${FILE.length}` };
    server.trick = (_request, response) =>
      void response.writeHead(206, head).end(Buffer.concat([FILE.subarray(0, BLOCK), Buffer.alloc(500_000, 1)]));
    expect(await file.read(BLOCK - 10, 10)).toEqual(FILE.subarray(BLOCK - 10, BLOCK));
    server.trick = () => false;
    const other = await open();
    server.trick = (_request, response) => void response.writeHead(206, head).end(FILE.subarray(0, BLOCK - 1));
    await expect(other.read(0, 10)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it.each<[string, (server: RangeServer) => void]>([
    ['another version', (changed) => changed.replace(FILE, '"v2"')],
    ['another size', (changed) => changed.replace(FILE.subarray(0, -1), '"v1"')],
    ['too few bytes', (changed) => changed.replace(Buffer.alloc(3), '"v1"')],
    ['the whole', (changed) => (changed.trick = (_request, response) => void response.writeHead(200).end(FILE))],
    [
      'another version in spite of the condition',
      (changed) =>
        (changed.trick = (request, response) => {
          response.setHeader('etag', '"v2"');
          delete request.headers['if-range'];
          changed.etag = '"v2"';
          return false;
        }),
    ],
  ])('says that the file has changed when the server has %s', async (_what, change) => {
    const file = await open();
    expect(await file.read(0, 4)).toEqual(FILE.subarray(0, 4));
    change(server);
    await expect(file.read(BLOCK, 4)).rejects.toMatchObject({ code: 'BAD_MEDIA' });
    await expect(file.read(2 * BLOCK, 4)).rejects.toThrow(/changed/);
  });

  it('compares the date where there is no entity tag', async () => {
    const dated = (date: string): void => {
      server.trick = (_request, response) => {
        response.removeHeader('etag');
        response.setHeader('last-modified', date);
        const head = { 'content-range': `bytes 0-0/${FILE.length}`, 'content-length': 1 };
        response.writeHead(206, head).end('x');
      };
    };
    dated('Mon, 01 Jan 2024 00:00:00 GMT');
    const facts = await inspect();
    expect(facts).toMatchObject({ etag: undefined, lastModified: 'Mon, 01 Jan 2024 00:00:00 GMT' });
    dated('Tue, 02 Jan 2024 00:00:00 GMT');
    await expect(new RemoteFile(client, facts).read(0, 1)).rejects.toThrow(/changed/);
  });

  it('ends a read when it is aborted, and all reads when it is closed', async () => {
    const file = await open();
    server.trick = () => undefined;
    const controller = new AbortController();
    const reads = [file.read(0, 10, controller.signal), file.read(0, 1_000_000, controller.signal)];
    const others = [file.read(0, 10), file.read(0, 1_000_000)];
    controller.abort();
    for (const read of reads) await expect(read).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await file.close();
    await file.close();
    for (const read of others) await expect(read).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
