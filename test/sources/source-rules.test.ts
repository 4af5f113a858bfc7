import { describe, expect, it } from 'vitest';
import type { SourceEntry } from '../../src/config/source-entry.ts';
import { AddressGuard } from '../../src/remote/address-guard.ts';
import { addressLabel } from '../../src/remote/remote-url.ts';
import { secretsOf } from '../../src/sources/source-address.ts';
import { checkSource } from '../../src/sources/source-rules.ts';
import { AppError } from '../../src/util/errors.ts';

const guard = new AddressGuard();
const rules = {
  checkUrl: (url: URL) => guard.checkUrl(url),
  checkHost: (host: string) => {
    if (!['camera.test', 'fd00::1'].includes(host)) throw new AppError('FORBIDDEN', `"${host}" is not listed`);
  },
};
const url = 'https://tv.test/live.m3u8';
const ladder = (entry: Partial<SourceEntry>): SourceEntry => ({ name: 'a', mode: 'ladder', ...entry });

describe('a source', () => {
  it.each<Partial<SourceEntry>>([
    { url },
    { urls: [url, 'http://198.51.99.1:8080/x?token=1'] },
    { url, mode: 'relay', headers: { Referer: 'https://tv.test/', Cookie: 'a=b' }, userAgent: 'TV' },
    { url: 'rtsp://user:password@camera.test:554/stream' },
    { urls: ['srt://camera.test:9000?streamid=x', 'rtmp://[fd00::1]/app/x'] },
    { url, recorded: 'film' },
    { url, recorded: 'channel', headers: { a: 'b' } },
  ])('may be %j', (entry) => {
    expect(() => checkSource(ladder(entry), rules)).not.toThrow();
  });

  it.each<[Partial<SourceEntry>, string, string]>([
    [{}, 'BAD_REQUEST', 'source "a": name either "url" or "urls"'],
    [{ url, urls: [url] }, 'BAD_REQUEST', 'name either'],
    [{ url: 'live.m3u8' }, 'BAD_REQUEST', 'must be whole'],
    [{ url: 'http://' }, 'BAD_REQUEST', 'must be whole'],
    [{ url: 'rtsp:camera.test' }, 'BAD_REQUEST', 'must be whole'],
    [{ url: 'file:///etc/passwd' }, 'BAD_REQUEST', '"file:" is not pulled from; http, https, rtsp'],
    [{ url: 'concat:a|b' }, 'BAD_REQUEST', '"concat:" is not pulled from'],
    [{ url: 'udp://camera.test:1' }, 'BAD_REQUEST', '"udp:" is not pulled from'],
    [{ urls: [url, 'javascript:alert(1)'] }, 'BAD_REQUEST', '"javascript:"'],
    [{ urls: [url, 'rtsp://camera.test/'] }, 'BAD_REQUEST', 'make two sources of them'],
    [{ url: 'rtsp://camera.test/', mode: 'relay' }, 'BAD_REQUEST', 'only http and https can be relayed'],
    [{ url: 'rtsp://camera.test/', headers: { a: 'b' } }, 'BAD_REQUEST', 'are for http and https'],
    [{ url: 'rtsp://camera.test/', userAgent: 'x' }, 'BAD_REQUEST', 'are for http and https'],
    [{ url: 'rtsp://camera.test/', recorded: 'channel' }, 'BAD_REQUEST', '"recorded"'],
    [{ url, mode: 'relay', recorded: 'film' }, 'BAD_REQUEST', '"recorded"'],
    [{ url, recorded: 'film', headers: { a: 'b' } }, 'BAD_REQUEST', 'films are fetched without'],
    [{ url, headers: { HOST: 'x' } }, 'BAD_REQUEST', 'header "host" cannot be chosen'],
    [{ url, headers: { 'Transfer-Encoding': 'x' } }, 'BAD_REQUEST', '"transfer-encoding"'],
    [{ url, headers: { 'User-Agent': 'x' } }, 'BAD_REQUEST', 'set "userAgent"'],
    [{ url, headers: { cookie: 'a', Cookie: 'b' } }, 'BAD_REQUEST', '"cookie" is there twice'],
    [{ url: 'http://10.0.0.1/x?secret=1' }, 'FORBIDDEN', 'http://10.0.0.1/x: 10.0.0.1 is no public address'],
    [{ urls: [url, 'http://[::1]/'] }, 'FORBIDDEN', 'allowPrivate'],
    [{ url: 'http://tv.test:22/' }, 'FORBIDDEN', 'port 22'],
    [{ url: 'rtsp://u:secret@other.test/x?secret' }, 'FORBIDDEN', 'rtsp://other.test/x: "other.test" is not listed'],
  ])('may not be %j', (entry, code, message) => {
    let thrown: unknown;
    try {
      checkSource(ladder(entry), rules);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code, message: expect.stringContaining(message) as string });
    expect((thrown as AppError).message).not.toContain('secret');
  });
});

describe('addresses', () => {
  it.each([
    ['https://user:pass@tv.test:8443/a/b.m3u8?token=1#x', 'https://tv.test:8443/a/b.m3u8'],
    ['http://tv.test/live/ann/password/7.ts', 'http://tv.test/live/…/7.ts'],
    ['http://tv.test/ann/password/7', 'http://tv.test/ann/…/7'],
    ['http://tv.test/', 'http://tv.test/'],
    ['rtmp://tv.test/live/stream-key', 'rtmp://tv.test/live/…'],
    ['rtsp://user:pass@camera.test:554/stream?x=1', 'rtsp://camera.test:554/stream'],
    ['srt://camera.test:9000?passphrase=secret', 'srt://camera.test:9000'],
    ['nonsense', 'an address that cannot be read'],
  ])('%s is shown as %s', (address, label) => {
    expect(addressLabel(address)).toBe(label);
  });

  it('have secrets that are known', () => {
    const entry = ladder({
      urls: ['https://u:pass%40word@tv.test/x?token=abc', 'nonsense', url],
      headers: { Cookie: 'id=1' },
    });
    expect(secretsOf(entry)).toEqual(['id=1', 'pass%40word', 'token=abc']);
  });
});
