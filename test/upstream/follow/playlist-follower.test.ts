import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/util/errors.ts';
import { item, LINGER_MS, stage, unavailable } from './follower-stage.ts';

describe('the loads of a followed playlist', () => {
  it('come a target duration after a change, and after half of it if nothing is new', async () => {
    const { follower, times, pass } = stage([
      { first: 0 },
      { first: 1 },
      'unchanged',
      'unchanged',
      { first: 2 },
      { first: 3 },
    ]);
    follower.hold();
    await pass(8_000);
    expect(times()).toEqual([0, 2_000, 4_000, 5_000, 6_000, 8_000]);
  });

  it('follow the length of the last segment where it is shorter than the target duration', async () => {
    const { follower, times, pass } = stage([
      { first: 0, durationMs: () => 1_500 },
      { first: 1, durationMs: () => 200 },
      { first: 2 },
    ]);
    follower.hold();
    await pass(3_000);
    expect(times()).toEqual([0, 1_500, 2_500]);
  });

  it('follow each other at once where the server holds them until there is something new', async () => {
    const { made } = stage([{ first: 0 }, { first: 1 }, { first: 2 }, 'unchanged']);
    made.holdsNext = true;
    made.follower.hold();
    await made.pass(1_300);
    expect(made.times).toEqual([0, 100, 200, 300, 1_300]);
  });

  it('are tried again with growing pauses when they fail', async () => {
    const { follower, times, pass, made } = stage([unavailable, unavailable, { first: 0 }]);
    follower.hold();
    await pass(1_500);
    expect(times()).toEqual([0, 500, 1_500]);
    expect(follower.current?.firstNumber).toBe(0);
    expect(made.rotation.current.turn).toBe(0);
  });

  it('begin with the first who holds it and end some time after the last', async () => {
    const { follower, times, pass } = stage([{ first: 0 }]);
    await pass(5_000);
    expect(times()).toEqual([]);
    const [one, other] = [follower.hold(), follower.hold()];
    await pass(1_000);
    one();
    one();
    await pass(1_000);
    other();
    await pass(LINGER_MS - 1);
    expect(follower.isRunning).toBe(true);
    await pass(1);
    expect(follower.isRunning).toBe(false);
    const count = times().length;
    await pass(10_000);
    expect(times()).toHaveLength(count);
  });

  it('go on for somebody who comes back soon, and begin again for somebody who comes later', async () => {
    const { follower, times, pass, made } = stage([{ first: 0 }]);
    follower.hold()();
    await pass(LINGER_MS - 1);
    const release = follower.hold();
    const before = times().length;
    await pass(3_000);
    expect(times().length).toBeGreaterThan(before);
    release();
    await pass(LINGER_MS);
    expect(follower.isRunning).toBe(false);
    made.answers[0] = [{ first: 3 }];
    follower.hold();
    expect(follower.current).toBeUndefined();
    const snapshot = follower.next(-1);
    await pass(0);
    expect((await snapshot).firstNumber).toBe(3);
    expect(follower.current?.segments.some(({ discontinuity }) => discontinuity)).toBe(false);
  });

  it('are one for however many wait', async () => {
    const { follower, times, pass } = stage([{ first: 0 }, { first: 1 }]);
    follower.hold();
    const waiting = Array.from({ length: 100 }, () => follower.next(-1));
    await pass(0);
    expect(new Set((await Promise.all(waiting)).map(({ version }) => version))).toEqual(new Set([0]));
    expect(times()).toHaveLength(1);
    const next = follower.next(0);
    await pass(2_000);
    expect((await next).firstNumber).toBe(1);
  });

  it('come soon after a segment could not be fetched', async () => {
    const { follower, times, pass } = stage([{ first: 0 }]);
    follower.hold();
    await pass(0);
    follower.report(item('a'), 'failed');
    await pass(500);
    expect(times()).toEqual([0, 500]);
    await pass(700);
    follower.report(item('b'), 'failed');
    await pass(0);
    expect(times()).toEqual([0, 500, 1_200]);
  });
});

describe('who waits for a snapshot', () => {
  it('is told why there is none once all addresses have failed', async () => {
    const { follower, pass } = stage([unavailable], [new AppError('BAD_MEDIA', 'line 3 is wrong')]);
    follower.hold();
    const waiting = follower.next(-1);
    const outcome = waiting.catch((error: unknown) => error);
    await pass(5_000);
    expect(await outcome).toMatchObject({ code: 'BAD_MEDIA', message: 'line 3 is wrong' });
  });

  it('waits no longer than the signal allows', async () => {
    const { follower } = stage([{ first: 0, count: 0 }]);
    const over = new AbortController();
    const waiting = follower.next(5, over.signal);
    over.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('is told when the follower is closed', async () => {
    const { follower } = stage([{ first: 0 }]);
    const waiting = follower.next(7);
    await follower.close();
    await expect(waiting).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(follower.next(7)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('is told when there will be none', async () => {
    const { follower, pass } = stage([{ first: 0, tail: ['#EXT-X-ENDLIST'] }]);
    follower.hold();
    const waiting = follower.next(0).catch((error: unknown) => error);
    await pass(100);
    expect(follower.current).toMatchObject({ ended: true, isRecorded: true, version: 0 });
    expect(await waiting).toMatchObject({ code: 'GONE' });
  });
});

describe('what can be fetched ahead', () => {
  it('is told at each snapshot, but for gaps', async () => {
    const tags = (number: number): string[] => (number === 2 ? ['#EXT-X-GAP'] : []);
    const { follower, pass, made } = stage([{ first: 0, count: 4, tags }]);
    follower.hold();
    await pass(0);
    const era = Math.floor(made.clock.nowMs() / 1_000);
    expect(made.offered.at(-1)?.map(({ id }) => id)).toEqual([0, 1, 3].map((number) => `u0/v0/${era}-${number}`));
  });
});
