import { describe, expect, it } from 'vitest';
import { readSamples } from '../../../src/media/cmaf/sample-reader.ts';
import { packVideoSegment, TIMELINE_ORIGIN_TICKS } from '../../../src/vod/encode/canonical-fragment.ts';
import type { HeadSegment } from '../../../src/vod/encode/segment-range.ts';
import { LateStartError, VideoSegmenter, type VideoSegmenterOptions } from '../../../src/vod/encode/video-segmenter.ts';

const FRAME = 3_600;
const SECOND = 90_000;

function segmenter(options: Partial<VideoSegmenterOptions> = {}) {
  const made: HeadSegment[] = [];
  const cutter = new VideoSegmenter({
    ...{ boundaries: [0, SECOND, 2 * SECOND, 3 * SECOND], first: 0, end: 3, delayTicks: 6_000, latestStart: Infinity },
    ...options,
    onSegment: (segment) => made.push(segment),
  });
  return { made, cutter };
}

/** A fragment of three frames from a time on, as an encoder gives it: times count from the title's start. */
function fragment(startTicks: number, sync = true, bytes = 1): Buffer {
  const frames = [0, 1, 2].map((frame) => ({
    ...{
      pts: startTicks - TIMELINE_ORIGIN_TICKS + frame * FRAME,
      sync: sync && frame === 0,
      data: Buffer.alloc(bytes),
    },
  }));
  const [from, until] = [startTicks - TIMELINE_ORIGIN_TICKS, startTicks - TIMELINE_ORIGIN_TICKS + 3 * FRAME];
  return packVideoSegment({ index: 0, startTicks: from, endTicks: until, delayTicks: 0, frames });
}

/** Of each segment, the times of its frames from the title's start. */
function times(segments: readonly HeadSegment[]): number[][] {
  const defaults = new Map([[1, { duration: 0, size: 0, flags: 0 }]]);
  return segments.map(({ bytes }) =>
    (readSamples(bytes, defaults)[0]?.samples ?? []).map(({ pts }) => pts - TIMELINE_ORIGIN_TICKS),
  );
}

function after(startTicks: number): number[] {
  return [0, 1, 2].map((frame) => startTicks + frame * FRAME);
}

describe('a segmenter of the picture', () => {
  it('has a segment when the next one begins, and the last one when nothing more comes', () => {
    const { made, cutter } = segmenter({ end: 2 });
    cutter.push(fragment(0));
    cutter.push(fragment(3 * FRAME, false));
    expect(made).toEqual([]);
    cutter.push(fragment(SECOND));
    expect(made.map(({ index, durationTicks }) => [index, durationTicks])).toEqual([[0, SECOND]]);
    expect(cutter.next).toBe(1);
    cutter.finish();
    expect(times(made)).toEqual([[...after(0), ...after(3 * FRAME)], after(SECOND)]);
    expect(cutter.next).toBe(2);
  });

  it('keeps the source’s own keyframes inside a segment', () => {
    const { made, cutter } = segmenter({ end: 1 });
    for (const start of [0, SECOND / 2, SECOND]) cutter.push(fragment(start));
    expect(times(made)).toEqual([[...after(0), ...after(SECOND / 2)]]);
  });

  it('drops what is before its first segment, and after its last', () => {
    const { made, cutter } = segmenter({ first: 1, end: 2 });
    cutter.push(fragment(0));
    cutter.push(fragment(SECOND / 2, false));
    cutter.push(fragment(SECOND));
    cutter.push(fragment(2 * SECOND));
    cutter.push(fragment(2 * SECOND + 3 * FRAME, false));
    cutter.finish();
    expect(times(made)).toEqual([after(SECOND)]);
  });

  it('takes a keyframe that rounding put a little before the boundary for the one that is meant', () => {
    const { made, cutter } = segmenter({ first: 1, end: 2 });
    cutter.push(fragment(SECOND - 90));
    cutter.finish();
    expect(times(made)).toEqual([after(SECOND - 90)]);
  });

  it('makes empty segments where nothing is shown', () => {
    const { made, cutter } = segmenter();
    cutter.push(fragment(0));
    cutter.push(fragment(2 * SECOND));
    cutter.finish();
    expect(times(made)).toEqual([after(0), [], after(2 * SECOND)]);
    expect(made.map(({ durationTicks }) => durationTicks)).toEqual([SECOND, SECOND, SECOND]);
  });

  it('refuses a segment without a keyframe at its start', () => {
    const { cutter } = segmenter();
    cutter.push(fragment(0));
    expect(() => cutter.push(fragment(SECOND, false))).toThrow('segment 1 does not start with a keyframe');
  });

  it('notices that it began too late', () => {
    const { cutter } = segmenter({ latestStart: 1_000 });
    expect(() => cutter.push(fragment(1_001))).toThrow(LateStartError);
  });

  it('bounds a segment', () => {
    const { cutter } = segmenter();
    cutter.push(fragment(0, true, 10 << 20));
    cutter.push(fragment(3 * FRAME, false, 10 << 20));
    expect(() => cutter.push(fragment(6 * FRAME, false, 10 << 20))).toThrow('segment 0 has more than 67108864 bytes');
  });
});
