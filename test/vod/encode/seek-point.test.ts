import { describe, expect, it } from 'vitest';
import { seekPoint } from '../../../src/vod/encode/seek-point.ts';

const MP4 = 'mov,mp4,m4a,3gp,3g2,mj2';
const second = 90_000;
const source = { kind: 'file' } as const;
const keyframes = [0, 2, 4, 14].map((seconds) => seconds * second);
const plan = { boundaries: [0, 2 * second, 8 * second, 20 * second], keyframes, atKeyframes: false };

describe('the place that a head seeks to', () => {
  it('is a little behind the last keyframe, where containers have an index', () => {
    expect(seekPoint({ source, plan, format: MP4 }, 4 * second, false)).toBe(4.25 * second);
    expect(seekPoint({ source, plan, format: 'matroska,webm' }, 13 * second, false)).toBe(4.25 * second);
    expect(seekPoint({ source, plan, format: MP4 }, 30 * second, false)).toBe(14.25 * second);
  });

  it('takes a keyframe that rounding put a little later for the one that is meant', () => {
    expect(seekPoint({ source, plan, format: MP4 }, 4 * second - 90, false)).toBe(4.25 * second);
  });

  it('stays before the next keyframe, however near that is', () => {
    const intra = { ...plan, keyframes: [0, 3_000, 6_000, 9_000] };
    expect(seekPoint({ source, plan: intra, format: MP4 }, 6_000, false)).toBe(7_500);
  });

  it('is a second before it elsewhere', () => {
    expect(seekPoint({ source, plan, format: 'mpegts' }, 4 * second, false)).toBe(3 * second);
  });

  it('is far before without an index, and where the index cannot be trusted', () => {
    const blind = { ...plan, keyframes: undefined };
    expect(seekPoint({ source, plan: blind, format: 'mpegts' }, 20 * second, false)).toBe(8 * second);
    expect(seekPoint({ source, plan, format: MP4 }, 20 * second, true)).toBe(8 * second);
  });

  it('is a second before, in playlists, whose segments begin with keyframes, and far before if they do not', () => {
    const title = { plan: { ...plan, keyframes: undefined }, format: 'mpegts', source: { kind: 'playlist' } } as const;
    expect(seekPoint(title, 20 * second, false)).toBe(19 * second);
    expect(seekPoint(title, 20 * second, true)).toBe(8 * second);
  });

  it('is the beginning if there is nothing before it to be left out', () => {
    expect(seekPoint({ source, plan, format: MP4 }, second, false)).toBeUndefined();
    expect(seekPoint({ source, plan, format: MP4 }, 12 * second, true)).toBeUndefined();
    expect(seekPoint({ source, plan: { ...plan, keyframes: [] }, format: MP4 }, 8 * second, false)).toBeUndefined();
  });
});
