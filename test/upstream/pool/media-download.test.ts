import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MediaItem } from '../../../src/upstream/pool/media-item.ts';
import type { PooledMedia } from '../../../src/upstream/pool/pooled-media.ts';
import { until } from '../../support/poll.ts';
import type { Trick } from '../../support/range-server.ts';
import { PoolRig } from './pool-rig.ts';

let rig: PoolRig;
beforeEach(async () => {
  rig = await PoolRig.start({ client: { headersTimeoutMs: 300, idleTimeoutMs: 300 } });
});
afterEach(() => rig.close());

function ask(item: MediaItem): PooledMedia {
  return rig.pool.open(item, rig.fetcher, { priority: 'asked' });
}

async function fetched(options?: Parameters<PoolRig['item']>[1]): Promise<Buffer> {
  const media = ask(rig.item('0.ts', options));
  try {
    return await media.whole();
  } finally {
    media.release();
  }
}

/** A different answer for each request in turn, the last one for all further ones; `false` = as it should be. */
function answers(...tricks: (Trick | false)[]): void {
  let count = 0;
  rig.server.trick = (request, response) => {
    const trick = tricks[Math.min(count, tricks.length - 1)] ?? false;
    count += 1;
    return trick === false ? false : trick(request, response);
  };
}

/** Serves what is asked for and hangs up after so many bytes. */
function cut(after: number): Trick {
  return (request, response) => {
    if (request.headers.range !== undefined) rig.server.serve(request, response, after);
    else {
      response.writeHead(200, { etag: rig.server.etag, 'content-length': rig.bytes.length });
      response.write(rig.bytes.subarray(0, after), () => response.destroy());
    }
  };
}

function status(code: number): Trick {
  return (_request, response) => void response.writeHead(code).end('no');
}

/** The whole with status 200, whatever part is asked for. */
const wholeAlways: Trick = (_request, response) =>
  void response.writeHead(200, { 'content-length': rig.bytes.length, etag: rig.server.etag }).end(rig.bytes);

describe('what is fetched', () => {
  it('is exact after two cuts, each taken up where it broke', async () => {
    answers(cut(100_000), cut(50_000), false);
    expect((await fetched()).equals(rig.bytes)).toBe(true);
    expect(rig.server.seen.map(({ range }) => range)).toEqual([undefined, 'bytes=100000-', 'bytes=150000-']);
    expect(rig.server.seen.map(({ headers }) => headers['if-range'])).toEqual([undefined, '"v1"', '"v1"']);
    expect(rig.pool.stats).toMatchObject({ retries: 2, failures: 0, fetchedBytes: rig.bytes.length });
  });

  it('starts anew if the server does not go on and nobody has read of it', async () => {
    answers(cut(100_000), wholeAlways);
    expect((await fetched()).equals(rig.bytes)).toBe(true);
    expect(rig.server.seen).toHaveLength(2);
  });

  it('fails if the server does not go on and somebody has read of it: a whole is never appended', async () => {
    answers(cut(100_000), wholeAlways);
    const media = ask(rig.item('0.ts'));
    await media.ready();
    await expect(media.whole()).rejects.toMatchObject({ code: 'UNAVAILABLE', kind: 'bad-answer' });
    expect(media.loadedBytes).toBeLessThanOrEqual(100_000);
    media.release();
  });

  it('is never made of two versions of a file', async () => {
    const other = randomBytes(rig.bytes.length);
    answers(cut(100_000), (request, response) => {
      rig.server.replace(other, '"v2"');
      delete request.headers['if-range'];
      rig.server.serve(request, response);
    });
    expect((await fetched()).equals(other)).toBe(true);
    expect(rig.server.seen.map(({ range }) => range)).toEqual([undefined, 'bytes=100000-', undefined]);
  });

  it.each([
    ['begins elsewhere', (at: number, size: number) => `bytes ${at - 1}-${size - 1}/${size}`],
    ['ends elsewhere', (at: number, size: number) => `bytes ${at}-${size - 2}/${size}`],
    ['says nothing', () => undefined],
  ])('takes no part that %s', async (_what, contentRange) => {
    answers(cut(100_000), (_request, response) => {
      const range = contentRange(100_000, rig.bytes.length);
      response.writeHead(206, range === undefined ? {} : { 'content-range': range }).end(rig.bytes.subarray(100_000));
    });
    await expect(fetched()).rejects.toMatchObject({ kind: 'bad-answer' });
    expect(rig.server.seen).toHaveLength(2);
  });

  it('is tried again when less comes than was announced for a part', async () => {
    answers((_request, response) => {
      response.writeHead(206, { 'content-range': `bytes 1000-5999/${rig.bytes.length}`, etag: rig.server.etag });
      response.end(rig.bytes.subarray(1_000, 3_000));
    }, false);
    const byteRange = { offset: 1_000, length: 5_000 };
    expect(await fetched({ byteRange })).toEqual(rig.bytes.subarray(1_000, 6_000));
    expect(rig.server.seen.map(({ range }) => range)).toEqual(['bytes=1000-5999', 'bytes=3000-5999']);
  });

  it.each([500, 503, 429])('is tried again after status %i, up to three times', async (code) => {
    answers(status(code), status(code), status(code), false);
    expect((await fetched()).equals(rig.bytes)).toBe(true);
    rig.server.seen.length = 0;
    answers(status(code));
    await expect(fetched({ id: 'other' })).rejects.toMatchObject({ kind: 'status', status: code });
    expect(rig.server.seen).toHaveLength(4);
  });

  it.each([400, 401, 403, 404, 410])('is not tried again after status %i', async (code) => {
    answers(status(code));
    await expect(fetched()).rejects.toMatchObject({ kind: 'status', status: code });
    expect(rig.server.seen).toHaveLength(1);
  });

  it('is tried again after a server that says nothing, and one that stops', async () => {
    answers(
      () => undefined,
      (_request, response) => void response.writeHead(200, { 'content-length': rig.bytes.length }).write('x'),
      wholeAlways,
    );
    expect((await fetched()).equals(rig.bytes)).toBe(true);
  });

  it('is tried again at a newer address when the one it had has run out', async () => {
    const [old, fresh] = ['/0.ts?token=1', '/0.ts?token=2'].map((path) => rig.item('0.ts', { path }));
    rig.server.trick = ({ url }, response) => {
      if (url !== '/0.ts?token=1') return false;
      rig.pool.retarget([fresh!]);
      response.writeHead(403).end();
    };
    const media = ask(old!);
    expect((await media.whole()).equals(rig.bytes)).toBe(true);
    expect(rig.paths).toEqual(['/0.ts?token=1', '/0.ts?token=2']);
    media.release();
  });

  it('is a part of a file', async () => {
    const byteRange = { offset: 1_000, length: 5_000 };
    expect(await fetched({ byteRange })).toEqual(rig.bytes.subarray(1_000, 6_000));
    expect(rig.server.seen[0]?.range).toBe('bytes=1000-5999');
    answers(cut(2_000), false);
    expect(await fetched({ id: 'cut', byteRange })).toEqual(rig.bytes.subarray(1_000, 6_000));
    expect(rig.server.seen[2]?.range).toBe('bytes=3000-5999');
  });

  it('is a part of a file also from a server that serves only the whole', async () => {
    answers(wholeAlways);
    expect(await fetched({ byteRange: { offset: 1_000, length: 5_000 } })).toEqual(rig.bytes.subarray(1_000, 6_000));
    await expect(fetched({ id: 'far', byteRange: { offset: 2 ** 27, length: 5_000 } })).rejects.toMatchObject({
      kind: 'bad-answer',
    });
    await until('the connections to be idle', () => rig.pool.stats.inFlight === 0);
  });

  it('is refused at the head if it claims to be larger than it may be', async () => {
    answers((_request, response) => void response.writeHead(200, { 'content-length': 2 * 2 ** 30 }).write('begin'));
    await expect(fetched()).rejects.toMatchObject({ kind: 'too-large' });
    await expect(fetched({ id: 'range', byteRange: { offset: 0, length: 65 << 20 } })).rejects.toMatchObject({
      kind: 'too-large',
    });
    expect(rig.server.seen).toHaveLength(1);
    expect(rig.pool.stats).toMatchObject({ fetchedBytes: 0, bytes: 0 });
  });

  it('is given up when it turns out to be larger than it may be', async () => {
    const chunk = Buffer.alloc(16_384);
    answers((_request, response) => {
      const send = (): void => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once('drain', send);
      };
      response.writeHead(200);
      send();
    });
    await expect(fetched({ kind: 'init' })).rejects.toMatchObject({ kind: 'too-large' });
    expect(rig.pool.stats.fetchedBytes).toBeLessThanOrEqual(1 << 20);
    await until('the connection to close', async () => (await rig.server.connections()) === 0);
  });

  it('is as large as it may be', async () => {
    const bytes = randomBytes(1 << 20);
    rig.server.replace(bytes, '"large"');
    expect((await fetched({ kind: 'init' })).equals(bytes)).toBe(true);
    rig.server.replace(Buffer.concat([bytes, Buffer.alloc(1)]), '"larger"');
    await expect(fetched({ id: 'larger', kind: 'init' })).rejects.toMatchObject({ kind: 'too-large' });
  });

  it('is nothing that is compressed', async () => {
    answers((_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('whatever'));
    await expect(fetched()).rejects.toMatchObject({ kind: 'bad-answer' });
  });

  it('tells users nothing of what went wrong, but the log', async () => {
    answers((_request, response) => void response.destroy());
    const path = '/0.ts?token=secret';
    await expect(fetched({ path })).rejects.toThrow(/0\.ts" cannot be fetched: its server does not answer/);
    expect(rig.failures).toHaveLength(4);
    expect(rig.failures.join()).not.toContain('secret');
  });
});
