import { describe, expect, it } from 'vitest';
import { type CodedFrame, mergeFragments, writeFragment } from '../../../src/media/cmaf/fragment-writer.ts';
import { readSamples } from '../../../src/media/cmaf/sample-reader.ts';
import type { Fragment, TrackInit } from '../../../src/media/fragment.ts';
import { audioInit, videoInit } from '../../support/fragments.ts';

const NO_DEFAULTS = new Map([[1, { duration: 0, size: 0, flags: 0 }]]);

function frame(dts: number, pts: number, options: Partial<CodedFrame> = {}): CodedFrame {
  return { dts, pts, duration: 3000, sync: false, data: Buffer.from(`frame at ${dts}`), ...options };
}

function fragment(frames: readonly CodedFrame[], init: TrackInit = videoInit()): Fragment {
  return writeFragment({ init, epoch: 3, frames, ingestedAtMs: 12_345 });
}

function reread(bytes: Buffer): CodedFrame[] {
  const [track] = readSamples(bytes, NO_DEFAULTS);
  return (track?.samples ?? []).map((sample) => ({ ...sample, data: Buffer.from(sample.data) }));
}

describe('writeFragment', () => {
  it('writes frames that read back the same, B-frames with negative offsets included', () => {
    const frames = [
      frame(9000, 12_000, { sync: true }),
      frame(12_000, 21_000),
      frame(15_000, 14_000, { duration: 2999 }),
      frame(17_999, 17_999),
    ];
    expect(reread(fragment(frames).bytes)).toEqual(frames);
  });

  it('describes what it wrote', () => {
    const frames = [frame(9000, 12_000, { sync: true }), frame(12_000, 21_000), frame(15_000, 15_000)];
    const written = fragment(frames);
    expect(written).toMatchObject({
      epoch: 3,
      ingestedAtMs: 12_345,
      baseDecodeTime: 9000,
      firstPts: 12_000,
      endPts: 24_000,
      duration: 9000,
      keyframe: true,
    });
    expect(written.payload).toEqual(Buffer.concat(frames.map(({ data }) => data)));
    expect(written.payload.buffer).toBe(written.bytes.buffer);
    expect(written.samples.map(({ compositionOffset }) => compositionOffset)).toEqual([3000, 9000, 0]);
  });

  it('keeps decode times above 32 bits exactly', () => {
    const dts = 2 ** 45 + 12_345;
    expect(reread(fragment([frame(dts, dts - 7)]).bytes)).toEqual([frame(dts, dts - 7)]);
  });

  it('is a keyframe for audio, and for video only if the first frame is one', () => {
    expect(fragment([frame(0, 0)]).keyframe).toBe(false);
    expect(fragment([frame(0, 0, { sync: true })]).keyframe).toBe(true);
    expect(fragment([frame(0, 0, { sync: true })], audioInit()).keyframe).toBe(true);
  });

  it('spends at most 112 bytes on the boxes of a single frame', () => {
    const data = Buffer.alloc(100);
    expect(fragment([frame(0, 3000, { data })]).bytes.length).toBeLessThanOrEqual(212);
  });

  it('needs a frame', () => {
    expect(() => fragment([])).toThrow(TypeError);
  });
});

describe('mergeFragments', () => {
  it('makes one fragment of all samples with the sequence number', () => {
    const frames = [frame(0, 6000, { sync: true }), frame(3000, 15_000), frame(6000, 5000), frame(9000, 9000)];
    const merged = mergeFragments(
      [fragment(frames.slice(0, 1)), fragment(frames.slice(1, 3)), fragment(frames.slice(3))],
      77,
    );
    expect(reread(merged)).toEqual(frames);
    expect(merged.readUInt32BE(20)).toBe(77);
  });

  it('is exact over a hole: the sample before it lasts longer', () => {
    const merged = mergeFragments([fragment([frame(0, 0)]), fragment([frame(10_000, 11_000)])], 1);
    expect(reread(merged)).toEqual([frame(0, 0, { duration: 10_000 }), frame(10_000, 11_000)]);
  });

  it('is exact over an overlap of durations', () => {
    const merged = mergeFragments([fragment([frame(0, 0, { duration: 5000 })]), fragment([frame(3000, 2000)])], 1);
    expect(reread(merged)).toEqual([frame(0, 0), frame(3000, 2000)]);
  });

  it('keeps presentation times where decode times go backwards', () => {
    const merged = mergeFragments([fragment([frame(5000, 5000)]), fragment([frame(4000, 8000)])], 1);
    expect(reread(merged).map(({ pts }) => pts)).toEqual([5000, 8000]);
  });

  it('writes what is equal in all samples once: 4 bytes a frame of audio', () => {
    const audio = Array.from({ length: 24 }, (_, index) =>
      fragment(
        [frame(index * 1024, index * 1024, { duration: 1024, sync: true, data: Buffer.alloc(10) })],
        audioInit(),
      ),
    );
    expect(mergeFragments(audio, 1).length).toBe(24 * (10 + 4) + 104);
  });

  it('needs a fragment', () => {
    expect(() => mergeFragments([], 1)).toThrow(TypeError);
  });
});
