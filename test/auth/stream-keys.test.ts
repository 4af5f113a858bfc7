import { describe, expect, it } from 'vitest';
import { AdminToken } from '../../src/auth/admin-token.ts';
import { ConfiguredStreamKeys } from '../../src/auth/stream-keys.ts';
import type { StreamKeyEntry } from '../../src/config/schema.ts';
import { systemClock } from '../../src/util/clock.ts';

const keys = (entries: StreamKeyEntry[], globalKey?: string, nowMs = 0) =>
  new ConfiguredStreamKeys({ globalKey, entries, clock: { ...systemClock, nowMs: () => nowMs } });

describe('stream keys', () => {
  it('accept the global key for every broadcast', () => {
    const check = keys([], 'global-key');
    expect(() => check.authorize('live/a', 'global-key')).not.toThrow();
    expect(() => check.authorize('other/b', 'global-key')).not.toThrow();
  });

  it.each([
    ['missing', undefined, /missing/],
    ['empty', '', /missing/],
    ['wrong', 'global-keX', /is wrong/],
    ['only the beginning', 'global', /is wrong/],
    ['too long', 'global-key ', /is wrong/],
  ])('refuse a key that is %s', (_what, key, message) => {
    expect(() => keys([], 'global-key').authorize('live/a', key)).toThrow(message);
  });

  it('accept a key for the broadcasts that it names, and no others', () => {
    const check = keys([
      { broadcast: 'live/alice', key: 'key-of-alice' },
      { broadcast: 'radio/*', key: 'key-of-radio' },
    ]);
    expect(() => check.authorize('live/alice', 'key-of-alice')).not.toThrow();
    expect(() => check.authorize('radio/1', 'key-of-radio')).not.toThrow();
    expect(() => check.authorize('live/bob', 'key-of-alice')).toThrow(/is wrong/);
    expect(() => check.authorize('live/alice', 'key-of-radio')).toThrow(/is wrong/);
  });

  it('refuse a key from the moment it expires', () => {
    const entry = { broadcast: 'live/a', key: 'the-key-', expires: '2030-01-01T00:00:00Z' };
    const end = Date.UTC(2030, 0, 1);
    expect(() => keys([entry], undefined, end - 1).authorize('live/a', 'the-key-')).not.toThrow();
    expect(() => keys([entry], undefined, end).authorize('live/a', 'the-key-')).toThrow(/has expired/);
    const renewed = [entry, { broadcast: 'live/a', key: 'the-key-' }];
    expect(() => keys(renewed, undefined, end).authorize('live/a', 'the-key-')).not.toThrow();
  });

  it('refuse everything if there is no key at all', () => {
    expect(() => keys([]).authorize('live/a', 'anything')).toThrow(expect.objectContaining({ code: 'UNAUTHORIZED' }));
  });

  it('never repeat a key in an error', () => {
    for (const key of ['hush-hush', 'x'.repeat(1_000_000)]) {
      expect(() => keys([], 'global-key').authorize('live/a', key)).toThrow(/^the stream key for "live\/a" is wrong$/);
    }
  });
});

describe('the admin token', () => {
  const token = new AdminToken('admin-token');

  it('is taken as a bearer token, in any case of the word', () => {
    expect(() => token.authorize('Bearer admin-token')).not.toThrow();
    expect(() => token.authorize('bearer   admin-token ')).not.toThrow();
  });

  it.each([undefined, '', 'admin-token', 'Bearer', 'Basic admin-token', 'Bearer a b'])(
    'is not found in %s',
    (header) => {
      expect(() => token.authorize(header)).toThrow(/Authorization: Bearer TOKEN/);
    },
  );

  it('is refused when it is wrong, without repeating it', () => {
    expect(() => token.authorize('Bearer admin-tokeN')).toThrow(/^the admin token is wrong$/);
  });
});
