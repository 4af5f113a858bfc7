import { describe, expect, it } from 'vitest';
import { type ActiveSource, makeRoom } from '../../src/sources/source-limits.ts';

/** `ann1*` is Ann's, on demand (`*`), and began at 1. */
function source(text: string): ActiveSource {
  const [, user, startedAt, star] = /^([a-z]*)(\d)(\*?)$/.exec(text)!;
  return {
    name: text,
    user: user === '' ? undefined : user,
    startedAtMs: Number(startedAt),
    onDemand: star === '*',
  };
}

describe('makeRoom', () => {
  it.each([
    ['no limit is near', ['ann1', 'bob2'], 'ann', 5, 0, []],
    ['the last place is taken', ['ann1', 'bob2'], 'ann', 3, 0, []],
    ['the user’s own source on demand makes room', ['ann1*', 'bob2*', 'bob3'], 'ann', 3, 0, ['ann1*']],
    ['the oldest of them does', ['ann2*', 'ann1*', 'bob3'], 'ann', 3, 0, ['ann1*']],
    ['a user is at the limit', ['ann1*', 'ann2*', 'bob3*'], 'ann', 9, 2, ['ann1*']],
    ['what is always on stays', ['ann1', 'ann2*', 'bob3*'], 'ann', 9, 2, ['ann2*']],
    ['a limit was lowered', ['ann1*', 'ann2*', 'ann3*'], 'ann', 9, 1, ['ann1*', 'ann2*', 'ann3*']],
    ['others are not counted', ['bob1*', 'bob2*', '3', '4*'], 'ann', 9, 1, []],
    ['sources of nobody have no limit of a user', ['1*', '2*', '3*'], '', 9, 1, []],
    ['both limits are met by one', ['ann1*', 'bob2'], 'ann', 2, 1, ['ann1*']],
  ])('%s', (_what, active, user, maxActive, maxPerUser, expected) => {
    const newcomer = { name: 'new', user: user === '' ? undefined : user };
    const leaving = makeRoom(active.map(source), newcomer, { maxActive, maxPerUser });
    expect(leaving.map(({ name }) => name)).toEqual(expected);
  });

  it.each([
    [['ann1', 'bob2*'], 'ann', 2, 0, '2 sources run already, and 2 may (pull.maxActive)'],
    [['bob1*', 'bob2*'], 'ann', 2, 0, 'try again when one of them has stopped'],
    [['1*', '2*'], '', 2, 0, '"new" cannot run'],
    [['ann1', 'ann2'], 'ann', 9, 2, '2 sources of its user run already, and 2 may (pull.maxPerUser)'],
    [['ann1', 'ann2'], 'ann', 9, 2, 'delete one of them'],
  ])('refuses with %j running for "%s"', (active, user, maxActive, maxPerUser, message) => {
    const newcomer = { name: 'new', user: user === '' ? undefined : user };
    expect(() => makeRoom(active.map(source), newcomer, { maxActive, maxPerUser })).toThrow(
      expect.objectContaining({ code: 'LIMIT_REACHED', message: expect.stringContaining(message) as string }),
    );
  });
});
