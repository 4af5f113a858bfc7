import { describe, expect, it } from 'vitest';
import { BitrateMeter } from '../../src/hls/bitrate-meter.ts';
import { plausibleFrameRate } from '../../src/hls/frame-rate.ts';
import type { Segment } from '../../src/hls/segment.ts';
import { Viewers } from '../../src/hls/viewers.ts';
import { ManualClock } from '../support/manual-clock.ts';

function segment(kbps: number, durationMs = 2_000): Segment {
  return { durationMs, gap: false, bytes: Math.round((kbps * durationMs) / 8) } as Segment;
}

describe('BitrateMeter', () => {
  it('states the peak and the average of real segments with little headroom', () => {
    const meter = new BitrateMeter(1_000);
    for (const kbps of [2_000, 1_000, 1_500, 1_500]) meter.add(segment(kbps));
    expect(meter.peak).toBe(2_100_000);
    expect(meter.average).toBeGreaterThanOrEqual(1_500_000);
    expect(meter.average).toBeLessThan(1_500_000 * 1.25);
  });

  it('does not move with small fluctuations, so that the multivariant playlist stays the same', () => {
    const meter = new BitrateMeter(1_000);
    meter.add(segment(2_000));
    const first = [meter.peak, meter.average];
    for (const kbps of [1_950, 2_050, 1_980, 2_020]) meter.add(segment(kbps));
    expect([meter.peak, meter.average]).toEqual(first);
  });

  it('takes no peak from a stub', () => {
    const meter = new BitrateMeter(1_000);
    meter.add(segment(2_000));
    meter.add(segment(20_000, 100));
    expect(meter.peak).toBe(2_100_000);
  });

  it('ignores gaps', () => {
    const meter = new BitrateMeter(1_000);
    meter.add({ ...segment(1), gap: true });
    expect(meter.peak).toBe(0);
  });
});

describe('plausibleFrameRate', () => {
  it('believes the declared rate if the measurement agrees', () => {
    expect(plausibleFrameRate(30.02, 30)).toBe(30);
    expect(plausibleFrameRate(29.96, 30000 / 1001)).toBe(30000 / 1001);
  });

  it('takes the nearest common rate otherwise', () => {
    expect(plausibleFrameRate(29.96, undefined)).toBe(30000 / 1001);
    expect(plausibleFrameRate(59.99, 90_000)).toBe(60);
    expect(plausibleFrameRate(17.3, 30)).toBe(17.3);
  });

  it('states no nonsense', () => {
    for (const rate of [0, -1, 0.2, 1_000, Number.NaN, Infinity]) expect(plausibleFrameRate(rate, 30)).toBeUndefined();
  });
});

describe('Viewers', () => {
  it('counts distinct clients that asked within the last 15 s', () => {
    const clock = new ManualClock();
    const viewers = new Viewers(clock);
    viewers.see('live/a', '10.0.0.1', 'one');
    viewers.see('live/a', '10.0.0.1', 'one');
    viewers.see('live/a', '10.0.0.1', 'two');
    viewers.see('live/ab', '10.0.0.1', 'one');
    expect([viewers.count('live/a'), viewers.count('live/ab'), viewers.count('live')]).toEqual([2, 1, 0]);
    clock.advance(14_000);
    viewers.see('live/a', '10.0.0.1', 'one');
    clock.advance(2_000);
    expect([viewers.count('live/a'), viewers.count('live/ab')]).toEqual([1, 0]);
  });

  it('stays within its limit however many clients come', () => {
    const viewers = new Viewers(new ManualClock(), 1_000);
    for (let client = 0; client < 20_000; client += 1) viewers.see('live/a', `10.0.0.${client}`, 'x'.repeat(5_000));
    expect(viewers.count('live/a')).toBe(1_000);
  });
});
