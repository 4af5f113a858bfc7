import { beforeEach, describe, expect, it } from 'vitest';
import { HostLimiter } from '../../src/remote/limiter.ts';
import { ManualClock } from '../support/manual-clock.ts';

let clock: ManualClock;
let limiter: HostLimiter;
beforeEach(() => {
  clock = new ManualClock();
  limiter = new HostLimiter({ clock, maxPerHost: 2, maxTotal: 3, maxWaiting: 2, maxWaitMs: 1_000 });
});

/** What has got its turn so far, in order. */
function turns(): { took: string[]; take: (name: string, host: string) => Promise<() => void> } {
  const took: string[] = [];
  const take = async (name: string, host: string): Promise<() => void> => {
    const release = await limiter.acquire(host);
    took.push(name);
    return release;
  };
  return { took, take };
}

describe('HostLimiter', () => {
  it('gives as many turns as a host, and all together, may have, in the order of asking', async () => {
    const { took, take } = turns();
    const [one] = await Promise.all([take('a1', 'a'), take('a2', 'a')]);
    const third = take('a3', 'a');
    const other = await take('b1', 'b');
    const fourth = take('b2', 'b');
    expect(took).toEqual(['a1', 'a2', 'b1']);
    // Of a host that is full, nobody is next.
    other();
    await fourth;
    one();
    await third;
    expect(took).toEqual(['a1', 'a2', 'b1', 'b2', 'a3']);
  });

  it('ends a turn once, however often it is told to', async () => {
    const { took, take } = turns();
    const one = await take('1', 'a');
    await take('2', 'a');
    const waiting = take('3', 'a');
    one();
    one();
    await waiting;
    const late = limiter.acquire('a');
    clock.advance(1_000);
    await expect(late).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(took).toEqual(['1', '2', '3']);
  });

  it('lets no more wait than may, nor longer, nor once they are aborted', async () => {
    await Promise.all([limiter.acquire('a'), limiter.acquire('a')]);
    const controller = new AbortController();
    const [aborted, late] = [limiter.acquire('a', { signal: controller.signal }), limiter.acquire('a')];
    await expect(limiter.acquire('a')).rejects.toThrow(/too many requests wait/);
    controller.abort();
    await expect(aborted).rejects.toThrow(/aborted/);
    clock.advance(999);
    const next = limiter.acquire('a');
    clock.advance(1);
    await expect(late).rejects.toThrow(/try again later/);
    clock.advance(999);
    await expect(next).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(limiter.acquire('b', { signal: AbortSignal.abort() })).rejects.toThrow(/aborted/);
  });

  it('loses no turn that comes in the moment of giving up', async () => {
    const [one] = await Promise.all([limiter.acquire('a'), limiter.acquire('a')]);
    const controller = new AbortController();
    const waiting = limiter.acquire('a', { signal: controller.signal }).catch(() => undefined);
    controller.abort();
    one();
    (await waiting)?.();
    (await limiter.acquire('a'))();
  });
});

describe('the priority of a turn', () => {
  it('puts what somebody waits for first, and may change while it waits', async () => {
    const { took, take } = turns();
    const [one, two] = await Promise.all([take('1', 'a'), take('2', 'a')]);
    let priority: 'asked' | 'prefetch' = 'prefetch';
    const ahead = limiter.acquire('a', { priority: () => priority }).then(() => took.push('ahead'));
    const asked = limiter.acquire('a', { priority: () => 'asked' }).then((release) => {
      took.push('asked');
      release();
    });
    one();
    await Promise.all([asked, ahead]);
    expect(took).toEqual(['1', '2', 'asked', 'ahead']);
    const later = limiter.acquire('a', { priority: () => priority }).then(() => took.push('promoted'));
    const other = take('other', 'a');
    priority = 'asked';
    two();
    await later;
    expect(took.at(-1)).toBe('promoted');
    clock.advance(1_000);
    await expect(other).rejects.toMatchObject({ kind: 'busy' });
  });
});
