import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSamples } from '../../../src/media/cmaf/sample-reader.ts';
import {
  packAudioSegment,
  packVideoSegment,
  type PresentedFrame,
  reorderDelay,
  TIMELINE_ORIGIN_TICKS,
} from '../../../src/vod/encode/canonical-fragment.ts';

const DEFAULTS = new Map([[1, { duration: 0, size: 0, flags: 0 }]]);
const FRAME = 3_750;

function framesAt(times: readonly number[]): PresentedFrame[] {
  return times.map((pts, index) => ({ pts, sync: index === 0, data: Buffer.from([index, index]) }));
}

function read(segment: Buffer) {
  return readSamples(segment, DEFAULTS)[0]!.samples;
}

describe('a packed segment of the picture', () => {
  const parts = { index: 3, startTicks: 360_000, delayTicks: 7_500 };

  it('keeps every presentation time, and decodes the n-th frame a constant time before the n-th that is shown', () => {
    const pts = [0, 4, 2, 1, 3].map((frame) => 360_000 + frame * FRAME);
    const samples = read(packVideoSegment({ ...parts, endTicks: 360_000 + 5 * FRAME, frames: framesAt(pts) }));
    expect(samples.map((sample) => sample.pts - TIMELINE_ORIGIN_TICKS)).toEqual(pts);
    expect(samples.map(({ dts }) => dts - TIMELINE_ORIGIN_TICKS + 7_500 - 360_000)).toEqual(
      [0, 1, 2, 3, 4].map((frame) => frame * FRAME),
    );
    expect(samples.map(({ sync }) => sync)).toEqual([true, false, false, false, false]);
    expect(samples.map(({ data }) => [...data])).toEqual([0, 1, 2, 3, 4].map((index) => [index, index]));
  });

  it('lasts until the next segment, whatever is in it', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 400_000 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 0, max: 22_500 }),
        fc.integer({ min: 0, max: 1_000 }),
        (offsets, delayTicks, rest) => {
          const [first, ...others] = [...offsets].sort((a, b) => a - b);
          const shuffled = [first!, ...offsets.filter((offset) => offset !== first)];
          const pts = shuffled.map((offset) => 360_000 + offset - first!);
          const endTicks = 360_000 + (others.at(-1) ?? first!) - first! + 1 + rest;
          const samples = read(packVideoSegment({ ...parts, delayTicks, endTicks, frames: framesAt(pts) }));
          expect(samples.map((sample) => sample.pts - TIMELINE_ORIGIN_TICKS)).toEqual(pts);
          expect(samples.every((sample) => sample.pts >= sample.dts && sample.dts >= 0 && sample.duration > 0)).toBe(
            true,
          );
          const last = samples.at(-1)!;
          const end = TIMELINE_ORIGIN_TICKS + endTicks - delayTicks;
          expect(last.dts + last.duration - end).toBeLessThanOrEqual(1);
          expect(last.dts + last.duration - end).toBeGreaterThanOrEqual(0);
          expect(samples[0]!.dts).toBeLessThanOrEqual(TIMELINE_ORIGIN_TICKS + 360_000 - delayTicks);
        },
      ),
    );
  });

  it('fills the time before a first frame that is late', () => {
    const frames = framesAt([361_000, 364_750]);
    const samples = read(packVideoSegment({ ...parts, endTicks: 368_500, frames }));
    expect(samples[0]!.dts).toBe(TIMELINE_ORIGIN_TICKS + 360_000 - 7_500);
    expect(samples[0]!.pts).toBe(TIMELINE_ORIGIN_TICKS + 361_000);
  });

  it('may be empty', () => {
    expect(read(packVideoSegment({ ...parts, endTicks: 368_500, frames: [] }))).toEqual([]);
  });
});

describe('the delay of decoding', () => {
  it('is two frames, of at most 30 frames a second, and what the source itself needs', () => {
    expect(reorderDelay({ frameRate: 24, copy: undefined })).toBe(7_500);
    expect(reorderDelay({ frameRate: 60, copy: undefined })).toBe(6_000);
    const copy = { codec: 'avc1.640028', averageBandwidth: 1, bandwidth: 1, reorderTicks: 11_250 };
    expect(reorderDelay({ frameRate: 24, copy })).toBe(11_250);
    expect(reorderDelay({ frameRate: 1, copy: undefined })).toBe(22_500);
  });
});

describe('a packed segment of sound', () => {
  it('has units of one length, one after the other', () => {
    const units = [Buffer.from('ab'), Buffer.from('c')];
    const samples = read(packAudioSegment({ index: 0, startSamples: 480_000, unitSamples: 1_024, units }));
    expect(samples.map(({ dts, duration, data }) => [dts, duration, data.toString()])).toEqual([
      [480_000, 1_024, 'ab'],
      [481_024, 1_024, 'c'],
    ]);
  });
});
