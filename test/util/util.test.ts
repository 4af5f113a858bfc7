import { describe, expect, it } from 'vitest';
import { untilAborted } from '../../src/util/abort.ts';
import { Backoff } from '../../src/util/backoff.ts';
import { systemClock } from '../../src/util/clock.ts';
import { Closer } from '../../src/util/closer.ts';
import { deferred } from '../../src/util/deferred.ts';
import { AppError, reasonOf, toError } from '../../src/util/errors.ts';

describe('Closer', () => {
  it('closes its children newest first, once, and shares one completion', async () => {
    const closer = new Closer();
    const order: number[] = [];
    for (const n of [1, 2, 3]) closer.add(() => order.push(n));
    expect(closer.close()).toBe(closer.close());
    await closer.close();
    expect(order).toEqual([3, 2, 1]);
  });

  it('goes on when a child fails to end, and waits for slow ones', async () => {
    const closer = new Closer();
    const slow = deferred();
    const order: string[] = [];
    closer.add(() => slow.promise.then(() => order.push('slow')));
    closer.add(() => {
      throw new Error('will not end');
    });
    const closing = closer.close().then(() => order.push('closed'));
    slow.resolve();
    await closing;
    expect(order).toEqual(['slow', 'closed']);
  });

  it('ends a child at once that is added after the close', async () => {
    const closer = new Closer();
    await closer.close();
    const ended = deferred();
    closer.add(() => ended.resolve());
    await ended.promise;
    expect(closer.closed).toBe(true);
  });
});

describe('untilAborted()', () => {
  const gone = (): Error => new AppError('GONE', 'nobody waits any more');

  it('answers what is waited for, or why that failed', async () => {
    const { signal } = new AbortController();
    expect(await untilAborted(Promise.resolve(1), signal, gone)).toBe(1);
    expect(await untilAborted(Promise.resolve(2), undefined, gone)).toBe(2);
    await expect(untilAborted(Promise.reject(new Error('broke')), signal, gone)).rejects.toThrow('broke');
  });

  it('rejects as soon as the signal aborts, and leaves what was waited for alone', async () => {
    const slow = deferred<number>();
    const controller = new AbortController();
    const waiting = untilAborted(slow.promise, controller.signal, gone);
    controller.abort();
    await expect(waiting).rejects.toThrow('nobody waits');
    await expect(untilAborted(Promise.resolve(1), controller.signal, gone)).rejects.toThrow('nobody waits');
    slow.resolve(3);
    expect(await slow.promise).toBe(3);
  });
});

describe('Backoff', () => {
  const options = { firstMs: 500, maxMs: 10_000, resetAfterMs: 60_000 };

  it('doubles up to the cap', () => {
    const backoff = new Backoff(options, () => 0);
    expect([0, 0, 0, 0, 0, 0].map((ran) => backoff.nextDelayMs(ran))).toEqual([
      500, 1_000, 2_000, 4_000, 8_000, 10_000,
    ]);
  });

  it('takes up to a quarter off, at random', () => {
    expect(new Backoff(options, () => 1).nextDelayMs(0)).toBe(375);
  });

  it('starts anew after a healthy run', () => {
    const backoff = new Backoff(options, () => 0);
    backoff.nextDelayMs(0);
    backoff.nextDelayMs(0);
    expect(backoff.nextDelayMs(60_000)).toBe(500);
  });
});

describe('systemClock', () => {
  it('ends a wait at once when its signal aborts', async () => {
    const abort = new AbortController();
    const waiting = systemClock.wait(3_600_000, abort.signal);
    abort.abort();
    await waiting;
    await systemClock.wait(3_600_000, abort.signal);
  });
});

describe('errors', () => {
  it('map their code to an HTTP status', () => {
    expect(new AppError('LIMIT_REACHED', 'x').statusCode).toBe(429);
  });

  it('turn anything thrown into an error with a reason', () => {
    expect(toError('text').message).toBe('text');
    expect(reasonOf(new TypeError(''))).toBe('TypeError');
  });
});
