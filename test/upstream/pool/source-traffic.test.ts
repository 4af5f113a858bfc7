import { beforeEach, describe, expect, it } from 'vitest';
import { SourceTraffic } from '../../../src/upstream/pool/source-traffic.ts';

let traffic: SourceTraffic;
beforeEach(() => {
  traffic = new SourceTraffic();
});

/** How long it took to fetch 2 s of media. */
function took(tookMs: number, concurrent = 1): void {
  traffic.measured({ tookMs, durationMs: 2_000, concurrent });
}

describe('SourceTraffic', () => {
  it('has room for one that is fetched ahead, while nobody waits for anything', () => {
    const changes: boolean[] = [];
    const stop = traffic.onEnd(() => changes.push(traffic.hasPrefetchRoom));
    const endAsked = traffic.beginAsked();
    const endOther = traffic.beginAsked();
    expect(traffic.hasPrefetchRoom).toBe(false);
    endAsked();
    endAsked();
    endOther();
    const endPrefetch = traffic.beginPrefetch();
    expect([traffic.hasPrefetchRoom, traffic.prefetching]).toEqual([false, 1]);
    endPrefetch();
    stop();
    traffic.beginPrefetch()();
    expect(changes).toEqual([false, true, true]);
  });

  it('has room for two once one connection is slower than real time', () => {
    took(1_500);
    expect(traffic.concurrency).toBe(1);
    took(1_900);
    took(1_900);
    expect(traffic.concurrency).toBe(2);
    traffic.beginPrefetch();
    expect(traffic.hasPrefetchRoom).toBe(true);
    took(2_000, 2);
    expect(traffic.concurrency).toBe(2);
    for (let count = 0; count < 10; count++) took(1_000);
    expect(traffic.concurrency).toBe(1);
  });

  it('has room for one if a second only takes from the first', () => {
    took(1_900);
    took(3_700, 2);
    expect(traffic.concurrency).toBe(1);
  });

  it('learns nothing from what plays no time', () => {
    traffic.measured({ tookMs: 5_000, durationMs: 0, concurrent: 1 });
    expect(traffic.concurrency).toBe(1);
  });
});
