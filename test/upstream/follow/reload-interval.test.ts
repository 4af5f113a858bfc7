import { describe, expect, it } from 'vitest';
import {
  blockingUrl,
  leastIntervalMs,
  reloadIntervalMs,
  stallLimits,
} from '../../../src/upstream/follow/reload-interval.ts';
import { listed } from './listed.ts';

const PARTS = ['#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5', '#EXT-X-PART-INF:PART-TARGET=0.5'];
const TRAILING = ['#EXT-X-PART:DURATION=0.5,URI="a.ts"', '#EXT-X-PART:DURATION=0.5,URI="b.ts"'];
const url = new URL('http://upstream.test/live/index.m3u8');

describe('the time between two loads', () => {
  it.each([
    { lastMs: 2_000, hadNew: true, ms: 2_000 },
    { lastMs: 1_920, hadNew: true, ms: 1_920 },
    { lastMs: 2_400, hadNew: true, ms: 2_000 },
    { lastMs: 40, hadNew: true, ms: 1_000 },
    { lastMs: 2_000, hadNew: false, ms: 1_000 },
  ])('is $ms ms behind a segment of $lastMs ms, new: $hadNew', ({ lastMs, hadNew, ms }) => {
    expect(reloadIntervalMs(listed({ first: 0, durationMs: () => lastMs }), hadNew)).toBe(ms);
  });

  it('is that of the target duration where there is no segment', () => {
    expect(reloadIntervalMs(listed({ first: 0, count: 0 }), true)).toBe(2_000);
  });
});

describe('the shortest time between two loads', () => {
  it('grows with what a long playlist lists, and is none for others', () => {
    expect(leastIntervalMs(listed({ first: 0, count: 4_000 }))).toBe(0);
    expect(leastIntervalMs(listed({ first: 0, count: 20_000 }))).toBe(8_000);
    expect(leastIntervalMs(listed({ first: 0, count: 4_000, tail: TRAILING }))).toBeCloseTo(1_600.8);
  });
});

describe('a stalled playlist', () => {
  it.each([
    { targetMs: 2_000, warnMs: 6_000, giveUpMs: 10_000 },
    { targetMs: 6_000, warnMs: 9_000, giveUpMs: 18_000 },
  ])('of $targetMs ms is given up after $giveUpMs ms', ({ targetMs, warnMs, giveUpMs }) => {
    expect(stallLimits(targetMs)).toEqual({ warnMs, giveUpMs });
  });
});

describe('a request that the server holds', () => {
  it('names the next part', () => {
    const playlist = listed({ first: 10, head: PARTS, tail: TRAILING });
    expect(blockingUrl(url, playlist)?.search).toBe('?_HLS_msn=16&_HLS_part=2');
  });

  it('names the next segment where there are no parts', () => {
    const playlist = listed({ first: 10, head: ['#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES'] });
    expect(blockingUrl(url, playlist)?.search).toBe('?_HLS_msn=16');
  });

  it('leaves the query as it was signed', () => {
    const signed = new URL('http://upstream.test/live/index.m3u8?sig=a%2Fb+c~&e');
    const playlist = listed({ first: 10, head: PARTS });
    expect(blockingUrl(signed, playlist)?.href).toBe(`${signed.href}&_HLS_msn=16&_HLS_part=0`);
  });

  it('is made only where the server offers it, and where it does not take long', () => {
    expect(blockingUrl(url, listed({ first: 10 }))).toBeUndefined();
    const slow = ['#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES', '#EXT-X-TARGETDURATION:6'];
    expect(blockingUrl(url, listed({ first: 10, head: slow }))).toBeUndefined();
  });
});
