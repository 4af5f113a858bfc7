import { once } from 'node:events';
import http from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AddressGuard } from '../../src/remote/address-guard.ts';
import { LoopbackRelay, type LoopbackRelayOptions, type Relayed } from '../../src/remote/loopback-relay.ts';
import { RemoteClient } from '../../src/remote/remote-client.ts';
import { inspectRemote } from '../../src/remote/remote-range.ts';
import { parseRemoteUrl } from '../../src/remote/remote-url.ts';
import { deferred } from '../../src/util/deferred.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/poll.ts';
import { RangeServer } from '../support/range-server.ts';

/** More than sockets on loopback hold by themselves. */
const FILE = Buffer.from(Uint32Array.from({ length: 8_000_000 }, (_, index) => index * 2_654_435_761).buffer);

let server: RangeServer;
let client: RemoteClient;
let relay: LoopbackRelay;
let clock: ManualClock;
beforeEach(async () => {
  clock = new ManualClock();
  server = await RangeServer.start(FILE);
  client = new RemoteClient({ guard: new AddressGuard(['127.0.0.1']), idleTimeoutMs: 300 });
});
afterEach(async () => {
  await relay.close();
  await client.close();
  await server.close();
});

async function share(options: Partial<LoopbackRelayOptions> = {}): Promise<Relayed> {
  relay = new LoopbackRelay({ client, clock, ...options });
  const file = await relay.register(await inspectRemote(client, parseRemoteUrl(server.url())));
  server.seen.length = 0;
  return file;
}

async function ask(url: string, options: http.RequestOptions = {}): Promise<http.IncomingMessage> {
  const request = http.request(url, { agent: false, ...options }).end();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  return response;
}

async function bytesOf(response: http.IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** Moves time on while something real is awaited. */
async function advancing<T>(wanted: Promise<T>): Promise<T> {
  const timer = setInterval(() => clock.advance(500), 5);
  try {
    return await wanted;
  } finally {
    clearInterval(timer);
  }
}

describe('LoopbackRelay', () => {
  it('serves the whole and any part, and tells nothing of the web server', async () => {
    const { url } = await share();
    server.trick = (request, response) => {
      response.setHeader('content-type', 'application/vnd.apple.mpegurl').setHeader('set-cookie', 'a=b');
      server.serve(request, response);
    };
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{48}$/);
    const whole = await ask(url);
    expect(whole).toMatchObject({ statusCode: 200 });
    expect(whole.headers).toMatchObject({ 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes' });
    expect(whole.headers).not.toHaveProperty('set-cookie');
    expect(Buffer.compare(await bytesOf(whole), FILE)).toBe(0);
    for (const [range, start, end] of [
      ['bytes=5-9', 5, 9],
      ['bytes=31999990-', 31_999_990, 31_999_999],
      ['bytes=-3', 31_999_997, 31_999_999],
      ['bytes=31999999-99999999', 31_999_999, 31_999_999],
    ] as const) {
      const part = await ask(url, { headers: { range } });
      expect(part.statusCode, range).toBe(206);
      expect(part.headers['content-range']).toBe(`bytes ${start}-${end}/${FILE.length}`);
      expect(await bytesOf(part)).toEqual(FILE.subarray(start, end + 1));
    }
  });

  it('answers HEAD without asking anyone', async () => {
    const { url } = await share();
    const head = await ask(url, { method: 'HEAD' });
    expect([head.statusCode, head.headers['content-length']]).toEqual([200, String(FILE.length)]);
    expect(server.seen).toEqual([]);
  });

  it('refuses other addresses, methods and ranges, and files that were released', async () => {
    const { url, release } = await share();
    const status = async (address: string, options?: http.RequestOptions): Promise<number | undefined> => {
      const response = await ask(address, options);
      response.resume();
      return response.statusCode;
    };
    expect(await status(url.slice(0, -1))).toBe(404);
    expect(await status(`${url}?x`)).toBe(404);
    expect(await status(new URL('/', url).href)).toBe(404);
    expect(await status(url, { method: 'POST' })).toBe(405);
    for (const range of ['bytes=32000000-', 'bytes=9-5', 'bytes=-', 'bytes=-0', 'bytes=0-1,4-5', 'lines=1-2']) {
      expect(await status(url, { headers: { range } }), range).toBe(416);
    }
    release();
    release();
    expect(await status(url)).toBe(404);
    expect(server.seen).toEqual([]);
  });

  it('goes on where a connection to the web server broke', async () => {
    const { url } = await share();
    server.trick = (request, response) => server.serve(request, response, 12_000_000);
    expect(Buffer.compare(await advancing(ask(url).then(bytesOf)), FILE)).toBe(0);
    expect(server.seen.length).toBeGreaterThanOrEqual(3);
    expect(server.seen.map(({ headers }) => headers['if-range'])).toEqual(server.seen.map(() => '"v1"'));
  });

  it('breaks off when the file changes on the way', async () => {
    const { url } = await share();
    server.trick = (request, response) => {
      server.serve(request, response, 1_000_000);
      server.etag = '"v2"';
    };
    await expect(advancing(ask(url).then(bytesOf))).rejects.toThrow(/aborted/);
    expect(server.seen).toHaveLength(2);
  });

  it('answers 502 when the web server gives nothing for too long', async () => {
    const { url } = await share();
    server.trick = (_request, response) => void response.writeHead(500).end();
    expect((await advancing(ask(url))).statusCode).toBe(502);
    expect(server.seen.length).toBeGreaterThan(5);
  });

  it('gives up a web server that only drips', async () => {
    const { url } = await share();
    server.trick = (_request, response) => {
      response.writeHead(206, { 'content-range': `bytes 0-${FILE.length - 1}/${FILE.length}` });
      const timer = setInterval(() => response.write('drop'), 10);
      response.on('close', () => clearInterval(timer));
    };
    await expect(advancing(ask(url).then(bytesOf))).rejects.toThrow(/aborted/);
    expect(server.seen).toHaveLength(1);
  });

  it('reads no faster than its reader, and holds no connection for one that reads nothing', async () => {
    const { url } = await share();
    const response = await ask(url);
    response.pause();
    await until('the reader to be full', () => clock.pending > 0);
    expect(await server.connections()).toBe(1);
    clock.advance(3_000);
    await until('the connection to be given back', async () => (await server.connections()) === 0);
    expect(relay.streams).toBe(1);
    expect(Buffer.compare(await bytesOf(response), FILE)).toBe(0);
    expect(server.seen.length).toBeGreaterThan(1);
    const from = Number(/^bytes=(\d+)-/.exec(server.seen[1]?.range ?? '')?.[1]);
    expect(from).toBeGreaterThan(0);
    expect(from).toBeLessThan(FILE.length);
  });

  it.each<[string, (file: Relayed, response: http.IncomingMessage) => unknown]>([
    ['its reader goes', (_file, response) => response.destroy()],
    ['the file is released', (file) => file.release()],
    ['it is closed', () => relay.close()],
  ])('ends the connection to the web server when %s', async (_what, end) => {
    const file = await share();
    const response = await ask(file.url);
    response.pause().on('error', () => undefined);
    await until('a connection', async () => (await server.connections()) === 1);
    await end(file, response);
    await until('its end', async () => (await server.connections()) === 0 && relay.streams === 0);
  });

  it('takes as many readers as it may', async () => {
    const { url } = await share({ maxStreams: 2 });
    const responses = await Promise.all([ask(url), ask(url)]);
    expect((await ask(url)).statusCode).toBe(503);
    responses[0].destroy();
    await until('room', () => relay.streams === 1);
    expect((await ask(url)).statusCode).toBe(200);
  });

  it('takes no more files once it is closed, and ends twice', async () => {
    await share();
    await relay.close();
    await relay.close();
    const facts = await inspectRemote(client, parseRemoteUrl(server.url()));
    await expect(relay.register(facts)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await new LoopbackRelay({ client }).close();
  });
});

describe('a stream of the LoopbackRelay', () => {
  async function shareStream(open: (signal: AbortSignal) => AsyncIterable<Buffer>): Promise<Relayed> {
    relay = new LoopbackRelay({ client, clock, maxStreams: 1 });
    return relay.registerStream(open);
  }

  it('is served from its beginning as fast as it is read', async () => {
    let given = 0;
    const { url } = await shareStream(async function* () {
      for (; given < 200; given++) yield Promise.resolve(FILE.subarray(given * 100_000, (given + 1) * 100_000));
    });
    const response = await ask(url, { headers: { range: 'bytes=5-9' } });
    expect(response).toMatchObject({ statusCode: 200 });
    expect(response.headers).toMatchObject({ 'content-type': 'application/octet-stream' });
    expect(response.headers['accept-ranges']).toBeUndefined();
    await once(response, 'readable');
    expect(given).toBeLessThan(200);
    expect((await ask(url)).statusCode).toBe(503);
    expect((await bytesOf(response)).equals(FILE.subarray(0, 20_000_000))).toBe(true);
  });

  it('is cut off where it fails', async () => {
    const arrived = deferred();
    const { url } = await shareStream(async function* () {
      yield Buffer.from('some');
      await arrived.promise;
      throw new Error('no more');
    });
    const response = await ask(url);
    const read = bytesOf(response);
    arrived.resolve();
    await expect(read).rejects.toThrow(/aborted/);
  });

  it('ends when it is released, and tells who makes it', async () => {
    let left: AbortSignal | undefined;
    const { url, release } = await shareStream(async function* (signal) {
      left = signal;
      yield Buffer.from('some');
      await once(signal, 'abort');
    });
    const read = bytesOf(await ask(url));
    release();
    await expect(read).rejects.toThrow(/aborted/);
    expect(left?.aborted).toBe(true);
    expect((await ask(url)).statusCode).toBe(404);
  });
});
