import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HttpFixture } from '../support/http-fixture.ts';

let fixture: HttpFixture;
beforeEach(async () => void (fixture = await HttpFixture.create()));
afterEach(() => fixture.close());

const get = (url: string, headers: Record<string, string> = {}) => fixture.app.inject({ url, headers });
const GZIP = { 'accept-encoding': 'gzip, br' };

describe('pages and what they load', () => {
  it.each(['/', '/watch/live/demo', '/assets/hls.min.js', '/assets/base.css', '/favicon.ico'])(
    '%s is compressed for those who take it, again and again',
    async (url) => {
      const plain = await get(url);
      expect([plain.headers['content-encoding'], plain.headers.vary]).toEqual([undefined, 'accept-encoding']);
      for (const packed of [await get(url, GZIP), await get(url, GZIP)]) {
        expect([packed.statusCode, packed.headers['content-encoding']]).toEqual([200, 'gzip']);
        expect(packed.headers['content-type']).toBe(plain.headers['content-type']);
        expect(packed.headers['content-length']).toBe(String(packed.rawPayload.length));
        expect(gunzipSync(packed.rawPayload).equals(plain.rawPayload)).toBe(true);
      }
    },
  );

  it('are a third of the size', async () => {
    const url = '/assets/hls.min.js';
    expect((await get(url, GZIP)).rawPayload.length).toBeLessThan((await get(url)).rawPayload.length / 2.5);
  });

  it('are told apart by version, range and method as ever', async () => {
    const url = '/assets/hls.min.js';
    const { headers } = await get(url, GZIP);
    expect((await get(url, { ...GZIP, 'if-none-match': String(headers.etag) })).statusCode).toBe(304);
    const part = await get(url, { ...GZIP, range: 'bytes=0-9' });
    expect([part.statusCode, part.headers['content-encoding'], part.body.length]).toEqual([206, undefined, 10]);
    const head = await fixture.app.inject({ url, method: 'HEAD', headers: GZIP });
    expect([head.statusCode, head.body, head.headers['content-encoding']]).toEqual([200, '', undefined]);
  });
});
