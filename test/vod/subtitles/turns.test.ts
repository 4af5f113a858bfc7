import { describe, expect, it } from 'vitest';
import { Turns } from '../../../src/vod/subtitles/turns.ts';
import { deferred } from '../../../src/util/deferred.ts';

const never = new AbortController().signal;

describe('turns', () => {
  it('lets so many run at a time, the others in order, and refuses who finds too many waiting', async () => {
    const turns = new Turns({ atOnce: 2, maxWaiting: 2 });
    const ends = Array.from({ length: 4 }, () => deferred());
    const begun: number[] = [];
    const runs = ends.map((end, index) =>
      turns.run(() => {
        begun.push(index);
        return end.promise;
      }, never),
    );
    await expect(turns.run(() => Promise.resolve(), never)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(begun).toEqual([0, 1]);
    ends[1]!.reject(new Error('failed'));
    await expect(runs[1]).rejects.toThrow('failed');
    await new Promise(setImmediate);
    expect(begun).toEqual([0, 1, 2]);
    for (const end of ends) end.resolve();
    await Promise.all([runs[0], runs[2], runs[3]]);
    expect(begun).toEqual([0, 1, 2, 3]);
    await turns.run(() => Promise.resolve(), never);
  });

  it('forgets who gave up waiting', async () => {
    const turns = new Turns({ atOnce: 1, maxWaiting: 1 });
    const end = deferred();
    const first = turns.run(() => end.promise, never);
    const aborts = new AbortController();
    const waiting = turns.run(() => Promise.reject(new Error('ran')), aborts.signal);
    aborts.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'GONE' });
    await expect(turns.run(() => Promise.resolve(), AbortSignal.abort())).rejects.toMatchObject({ code: 'GONE' });
    const next = turns.run(() => Promise.resolve('next'), never);
    end.resolve();
    await first;
    expect(await next).toBe('next');
  });
});
