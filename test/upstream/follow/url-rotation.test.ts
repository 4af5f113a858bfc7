import { describe, expect, it } from 'vitest';
import { UrlRotation } from '../../../src/upstream/follow/url-rotation.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const MINUTE = 60_000;

function rotation(count: number, failuresBeforeNext = 3): { clock: ManualClock; urls: UrlRotation } {
  const clock = new ManualClock();
  const names = Array.from({ length: count }, (_, index) => `http://host-${index}.test/live.m3u8`);
  return { clock, urls: new UrlRotation({ urls: names, failuresBeforeNext, clock, random: () => 0 }) };
}

function failTimes(urls: UrlRotation, times: number, by?: string): number[] {
  return Array.from({ length: times }, () => urls.failed(urls.current, 'status 503', by));
}

describe('a rotation of addresses', () => {
  it('stays at an address until it has failed often enough in a row', () => {
    const { urls } = rotation(2);
    expect(failTimes(urls, 2)).toEqual([500, 1_000]);
    urls.succeeded(urls.current);
    expect(failTimes(urls, 2)).toEqual([500, 1_000]);
    expect(urls.current).toMatchObject({ index: 0, turn: 0 });
    expect(failTimes(urls, 1)).toEqual([0]);
    expect(urls.current).toMatchObject({ index: 1, turn: 1, url: 'http://host-1.test/live.m3u8' });
    expect(urls.failovers).toBe(1);
  });

  it('waits no longer than 4 s between tries at one address', () => {
    expect(failTimes(rotation(2, 7).urls, 6)).toEqual([500, 1_000, 2_000, 4_000, 4_000, 4_000]);
  });

  it('goes round with growing pauses once every address has failed', () => {
    const { urls } = rotation(2);
    expect(failTimes(urls, 6)).toEqual([500, 1_000, 0, 500, 1_000, 2_000]);
    expect(urls.exhausted).toBe(true);
    expect(failTimes(urls, 12)).toEqual([0, 4_000, 0, 8_000, 0, 16_000, 0, 30_000, 0, 30_000, 0, 30_000]);
    urls.succeeded(urls.current);
    expect(urls.exhausted).toBe(false);
    expect(failTimes(urls, 3)).toEqual([500, 1_000, 0]);
  });

  it('begins its only address anew, with growing pauses', () => {
    const { urls } = rotation(1);
    expect(failTimes(urls, 8)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    expect(urls.current).toMatchObject({ index: 0, turn: 6 });
    expect(urls.failovers).toBe(0);
  });

  it('takes up to a quarter off its pauses', () => {
    const clock = new ManualClock();
    const urls = new UrlRotation({ urls: ['http://a.test/'], failuresBeforeNext: 3, clock, random: () => 0.999_999 });
    expect(urls.failed(urls.current, 'status 503')).toBe(375);
  });

  it('counts failures for each reporter apart', () => {
    const { urls } = rotation(2);
    for (let time = 0; time < 2; time++) {
      urls.failed(urls.current, 'status 404', 'video');
      urls.succeeded(urls.current, 'audio');
    }
    expect(urls.current.index).toBe(0);
    urls.failed(urls.current, 'status 404', 'video');
    expect(urls.current.index).toBe(1);
  });

  it('ignores reports about an address that has been left', () => {
    const { urls } = rotation(3, 1);
    const first = urls.current;
    urls.failed(first, 'status 503');
    expect(first.left.aborted).toBe(true);
    expect(urls.failed(first, 'status 503')).toBe(0);
    urls.giveUp(first, 'stalled');
    urls.succeeded(first);
    expect(urls.current.index).toBe(1);
    expect(urls.lastError).toBe('status 503');
    expect(urls.current.left.aborted).toBe(false);
  });

  it('leaves an address at once when it is given up, and tells listeners why', () => {
    const { urls } = rotation(2);
    const told: string[] = [];
    const off = urls.onSwitch(({ from, to, reason }) => told.push(`${from.index} -> ${to.index}: ${reason}`));
    urls.giveUp(urls.current, 'nothing new for 10 s');
    off();
    urls.giveUp(urls.current, 'nothing new for 10 s');
    expect(told).toEqual(['0 -> 1: nothing new for 10 s']);
  });

  it('forgets the last error when all reporters are well', () => {
    const { urls } = rotation(1);
    urls.failed(urls.current, 'a 404', 'audio');
    urls.failed(urls.current, 'a 503', 'video');
    urls.succeeded(urls.current, 'video');
    expect(urls.lastError).toBe('a 503');
    urls.succeeded(urls.current, 'audio');
    expect(urls.lastError).toBeUndefined();
  });
});

describe('the return to the first address', () => {
  function onBackup(): { clock: ManualClock; urls: UrlRotation } {
    const made = rotation(2);
    made.urls.giveUp(made.urls.current, 'stalled');
    made.urls.succeeded(made.urls.current);
    return made;
  }

  /** Looks at the first address every half minute, one segment growing each time by `step`, until it is taken. */
  function minutesUntilReturn(clock: ManualClock, urls: UrlRotation, step = 10): number {
    for (let looks = 0; looks < 100; looks++) {
      urls.probed({ newestSegment: 1_000 + looks * step });
      if (urls.current.index === 0) return looks / 2;
      clock.advance(MINUTE / 2);
    }
    return Infinity;
  }

  it('comes when it has been well for a minute', () => {
    const { clock, urls } = onBackup();
    expect(urls.wantsProbe).toBe(true);
    expect(minutesUntilReturn(clock, urls)).toBe(1);
    expect(urls.wantsProbe).toBe(false);
    expect(urls.failovers).toBe(2);
  });

  it('waits for 3 new segments', () => {
    const { clock, urls } = onBackup();
    expect(minutesUntilReturn(clock, urls, 1)).toBe(1.5);
    const frozen = onBackup();
    expect(minutesUntilReturn(frozen.clock, frozen.urls, 0)).toBe(Infinity);
  });

  it('begins to wait anew when a look fails or its numbers begin anew', () => {
    const { clock, urls } = onBackup();
    urls.probed({ newestSegment: 100 });
    clock.advance(MINUTE - 1);
    urls.probed(undefined);
    clock.advance(1);
    urls.probed({ newestSegment: 110 });
    clock.advance(MINUTE - 1);
    urls.probed({ newestSegment: 5 });
    clock.advance(MINUTE - 1);
    urls.probed({ newestSegment: 15 });
    expect(urls.current.index).toBe(1);
    clock.advance(1);
    urls.probed({ newestSegment: 16 });
    expect(urls.current.index).toBe(0);
  });

  it('needs no segments where a stream has none', () => {
    const { clock, urls } = onBackup();
    urls.probed({});
    clock.advance(MINUTE);
    urls.probed({});
    expect(urls.current.index).toBe(0);
  });

  it('waits twice as long after each return that did not last, up to ten minutes', () => {
    const { clock, urls } = onBackup();
    const waits: number[] = [];
    for (let round = 0; round < 6; round++) {
      waits.push(minutesUntilReturn(clock, urls));
      urls.giveUp(urls.current, 'stalled');
    }
    expect(waits).toEqual([1, 2, 4, 8, 10, 10]);
  });

  it('waits a minute again after a return that lasted', () => {
    const { clock, urls } = onBackup();
    minutesUntilReturn(clock, urls);
    urls.giveUp(urls.current, 'stalled');
    expect(minutesUntilReturn(clock, urls)).toBe(2);
    clock.advance(10 * MINUTE);
    urls.giveUp(urls.current, 'stalled');
    expect(minutesUntilReturn(clock, urls)).toBe(1);
  });

  it('takes no probe for anything while the first address is used', () => {
    const { clock, urls } = rotation(2);
    urls.probed({ newestSegment: 1 });
    clock.advance(MINUTE);
    urls.probed({ newestSegment: 9 });
    expect(urls.current.turn).toBe(0);
  });
});
