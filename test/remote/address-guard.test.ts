import { describe, expect, it } from 'vitest';
import { AddressGuard } from '../../src/remote/address-guard.ts';

/** Hosts as a URL may write them; each leads to a place that is not public, or to none. */
const FORBIDDEN_HOSTS = [
  ...['127.0.0.1', '127.1', '2130706433', '0x7f000001', '017700000001', '0177.0.0.1', '127.0.0.1.', '127.255.255.254'],
  ...[
    '１２７.0.0.1',
    '127。0。0。1',
    '①②⑦.0.0.1',
    '0',
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '10.255.255.255',
    '172.16.0.1',
  ],
  ...['172.31.255.255', '192.168.0.1', '192.168.255.255', '169.254.169.254', '100.64.0.1', '100.127.255.255'],
  ...['192.0.0.1', '192.0.2.1', '198.51.100.1', '203.0.113.1', '198.18.0.1', '198.19.255.255', '192.88.99.1'],
  ...['224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255', '168.63.129.16'],
  ...['[::1]', '[::]', '[::127.0.0.1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::ffff:10.0.0.1]'],
  ...['[::ffff:0:127.0.0.1]', '[64:ff9b::7f00:1]', '[64:ff9b::8.8.8.8]', '[64:ff9b:1::1]', '[2002:7f00:1::]'],
  ...[
    '[2002:808:808::]',
    '[2001:0:7f00:1::]',
    '[2001::1]',
    '[2001:db8::1]',
    '[2001:10::1]',
    '[fc00::1]',
    '[fd12:3456::1]',
  ],
  ...['[fe80::1]', '[fec0::1]', '[ff02::1]', '[100::1]', '[3fff::1]', '[5f00::1]', '[4000::1]', '[1::1]', '[e000::1]'],
];
const PUBLIC_HOSTS = [
  '8.8.8.8',
  '1.1.1.1',
  '134744072',
  '[2606:4700:4700::1111]',
  '[2a00:1450:4001:82a::200e]',
  '[::ffff:8.8.8.8]',
];

describe('AddressGuard', () => {
  const guard = new AddressGuard();

  it.each(FORBIDDEN_HOSTS)('forbids %s', (host) => {
    const forbidden = (): void => guard.checkUrl(new URL(`http://user:pass@${host}/film.mp4`));
    expect(forbidden).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
  });

  it.each(PUBLIC_HOSTS)('lets %s through', (host) => {
    const url = new URL(`https://${host}/film.mp4`);
    guard.checkUrl(url);
    expect(guard.isAllowed(url.hostname.replace(/^\[|\]$/g, ''))).toBe(true);
  });

  it('forbids what is no plain address', () => {
    for (const text of [
      '',
      'localhost',
      '127.0.0.1:80',
      '8.8.8.8/32',
      'fe80::1%eth0',
      '2606:4700::1%1',
      '[::1]',
      '0x8.8.8.8',
    ]) {
      expect(guard.isAllowed(text), text).toBe(false);
    }
  });

  it('lets through what an operator allows, in whatever form it is written, and nothing beside it', () => {
    const lenient = new AddressGuard(['10.1.0.0/16', '127.0.0.1', 'fd00:1::/32', '::ffff:192.168.7.0/120']);
    for (const allowed of [
      '10.1.2.3',
      '::ffff:10.1.2.3',
      '127.0.0.1',
      '::ffff:127.0.0.1',
      'fd00:1::5',
      '192.168.7.9',
    ]) {
      expect(lenient.isAllowed(allowed), allowed).toBe(true);
    }
    for (const forbidden of ['10.2.0.1', '127.0.0.2', 'fd00:2::5', '192.168.8.1', '::1', '::7f00:1']) {
      expect(lenient.isAllowed(forbidden), forbidden).toBe(false);
    }
  });

  it('refuses to be set up with what is no address', () => {
    for (const text of ['10.0.0.0/33', 'abc', '1.2.3.4/', '/8', '']) {
      expect(() => new AddressGuard([text]), text).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }));
    }
  });

  it('forbids ports of other services, and other schemes', () => {
    for (const port of [22, 25, 81, 442, 1023, 2049, 5060, 6000, 6379, 6667, 11211]) {
      expect(() => guard.checkUrl(new URL(`http://example.com:${port}/`)), String(port)).toThrow(`port ${port}`);
    }
    for (const port of [80, 443, 1024, 8080, 65535]) guard.checkUrl(new URL(`http://example.com:${port}/`));
    guard.checkUrl(new URL('https://example.com/'));
    for (const url of ['ftp://example.com/', 'file:///etc/passwd', 'gopher://example.com/']) {
      expect(() => guard.checkUrl(new URL(url)), url).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
    }
  });
});
