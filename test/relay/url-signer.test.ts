import { describe, expect, it } from 'vitest';
import { UrlSigner } from '../../src/relay/url-signer.ts';

const PATH = 'news/v0/index.m3u8';

describe('the signature of a relayed path', () => {
  const signer = new UrlSigner('a secret of the data folder');

  it('is the same at any time and has 128 bits', () => {
    expect(signer.sign(PATH)).toBe(new UrlSigner('a secret of the data folder').sign(PATH));
    expect(signer.sign(PATH)).toMatch(/^[\w-]{22}$/);
    expect(signer.isSigned(PATH, signer.sign(PATH))).toBe(true);
  });

  it('holds for no other path and no other secret', () => {
    expect(signer.isSigned('news/v1/index.m3u8', signer.sign(PATH))).toBe(false);
    expect(signer.isSigned(PATH, new UrlSigner('another secret').sign(PATH))).toBe(false);
  });

  it.each(['', 's', 'x'.repeat(22), 'x'.repeat(1000), '€'.repeat(22)])('is not %j', (given) => {
    expect(signer.isSigned(PATH, given)).toBe(false);
  });
});
