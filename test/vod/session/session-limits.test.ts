import { describe, expect, it } from 'vitest';
import { makeRoom, type Occupant } from '../../../src/vod/session/session-limits.ts';

let count = 0;

/** `user source`, in the order of their start. */
function active(...sessions: string[]): (Occupant & { name: string })[] {
  return sessions.map((name) => {
    const [user, sourceKey = ''] = name.split(' ');
    return { name, user: user === '-' ? undefined : user, sourceKey, label: sourceKey, startedAtMs: (count += 1) };
  });
}

function leaving(
  sessions: string[],
  newcomer: string,
  limits: { maxSessions?: number; maxPerUser?: number; maxPerSource?: number },
): string[] {
  const [who] = active(newcomer);
  const room = makeRoom(active(...sessions), who!, { maxSessions: 100, maxPerUser: 0, maxPerSource: 0, ...limits });
  return room.map(({ name }) => name);
}

describe('limits of sessions', () => {
  it.each([
    ['nobody while there is room', ['ann a', 'ann b'], 'ann c', { maxPerUser: 3 }, []],
    ['the oldest of the user beyond the limit', ['ann a', 'bob a', 'ann b'], 'ann c', { maxPerUser: 2 }, ['ann a']],
    [
      'as many as it takes after a limit was lowered',
      ['ann a', 'ann b', 'ann c'],
      'ann d',
      { maxPerUser: 1 },
      ['ann a', 'ann b', 'ann c'],
    ],
    ['nobody of a viewer without a name', ['- a', '- b', '- c'], '- d', { maxPerUser: 1 }, []],
    ['nobody where there is no limit', ['ann a', 'ann b'], 'ann c', { maxPerUser: 0, maxPerSource: 0 }, []],
    ['the own session of a source that is full', ['bob a', 'ann a'], 'ann a', { maxPerSource: 2 }, ['ann a']],
    [
      'one session for both limits if it will do',
      ['ann a', 'bob a', 'ann b'],
      'ann a',
      { maxPerSource: 2, maxPerUser: 2 },
      ['ann a'],
    ],
    [
      'an own one even where all sessions are taken',
      ['ann a', 'bob b'],
      'ann c',
      { maxSessions: 2, maxPerUser: 1 },
      ['ann a'],
    ],
  ])('make %s leave', (_what, sessions, newcomer, limits, expected) => {
    expect(leaving(sessions, newcomer, limits)).toEqual(expected);
  });

  it('refuse a source that others have taken', () => {
    expect(() => leaving(['bob a', 'eve a'], 'ann a', { maxPerSource: 2 })).toThrow(
      '"a" is played by 2 sessions already, and 2 may be (vod.maxPerSource); try again when one of them has ended',
    );
    expect(() => leaving(['- a'], '- a', { maxPerSource: 1 })).toThrow('(vod.maxPerSource)');
  });

  it('refuse anybody once all sessions are taken', () => {
    expect(() => leaving(['bob a', 'eve b'], 'ann a', { maxSessions: 2, maxPerUser: 1 })).toThrow(
      '2 sessions are active already, and 2 may be (vod.maxSessions); try again when one of them has ended',
    );
    expect(() => leaving(['bob a'], '- a', { maxSessions: 1 })).toThrow(
      expect.objectContaining({ code: 'LIMIT_REACHED', statusCode: 429 }),
    );
  });
});
