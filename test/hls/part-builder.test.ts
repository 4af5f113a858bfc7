import { describe, expect, it } from 'vitest';
import { type Part, PartBuilder } from '../../src/hls/part-builder.ts';
import { PartTarget } from '../../src/hls/part-target.ts';
import { RecentParts } from '../../src/hls/recent-parts.ts';
import { durationMs, type Fragment } from '../../src/media/fragment.ts';
import { audioFrames, audioInit, videoFrames, videoInit } from '../support/hls-fragments.ts';

const video = videoInit();

/** The parts of one segment, and after how many frames each was complete. */
function build(frames: readonly Fragment[], longestMs = 502): { parts: Part[]; completeAfter: number[] } {
  let sequence = 0;
  const builder = new PartBuilder(longestMs, () => (sequence += 1));
  const parts: Part[] = [];
  const completeAfter: number[] = [];
  for (const [index, frame] of frames.entries()) {
    for (const part of builder.push(frame)) {
      parts.push(part);
      completeAfter.push(index + 1);
    }
  }
  parts.push(...builder.flush());
  return { parts, completeAfter };
}

/** Like the frames, but with time stamps in whole milliseconds, as RTMP has them. */
function inWholeMs(frames: readonly Fragment[]): Fragment[] {
  const dts = frames.map(({ baseDecodeTime }) => Math.round(baseDecodeTime / 90) * 90);
  return frames.map((frame, index) => {
    const duration = (dts[index + 1] ?? dts[index]! + 3_000) - dts[index]!;
    return { ...frame, baseDecodeTime: dts[index]!, duration, samples: [{ ...frame.samples[0]!, duration }] };
  });
}

describe('PartBuilder', () => {
  it('completes a part with the frame after which no other would fit, without waiting for that', () => {
    const { parts, completeAfter } = build(videoFrames({ init: video, to: 2 }));
    expect(completeAfter).toEqual([15, 30, 45, 60]);
    expect(parts.map((part) => part.durationMs)).toEqual([500, 500, 500, 500]);
  });

  it.each([10, 12, 12.5, 15, 20, 23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60, 120])(
    'keeps parts of %s fps between 85 and 100 % of the target, all but the last',
    (fps) => {
      for (const frames of [
        videoFrames({ init: video, to: 8, fps }),
        inWholeMs(videoFrames({ init: video, to: 8, fps })),
      ]) {
        const { parts } = build(frames);
        expect(parts.length).toBeGreaterThanOrEqual(16);
        for (const { durationMs: ms } of parts) expect(ms).toBeLessThanOrEqual(502.001);
        for (const { durationMs: ms } of parts.slice(0, -1)) expect(ms).toBeGreaterThanOrEqual(0.85 * 502);
      }
    },
  );

  it('keeps audio to whole codec frames within the target', () => {
    const { parts } = build(audioFrames({ init: audioInit(), to: 8 }));
    for (const { durationMs: ms } of parts.slice(0, -1)) expect(ms).toBeCloseTo((23 * 1024_000) / 48_000);
    expect(parts.every(({ independent }) => independent)).toBe(true);
  });

  it('makes a part of a single fragment that is longer than the target', () => {
    const { parts, completeAfter } = build(videoFrames({ init: video, to: 4, fps: 1, keyframes: 4 }));
    expect(parts.map((part) => part.durationMs)).toEqual([1000, 1000, 1000, 1000]);
    expect(completeAfter).toEqual([1, 2, 3, 4]);
  });

  it('counts a hole into the part that has it', () => {
    const frames = videoFrames({ init: video, to: 0.6 }).filter((_, index) => index !== 3 && index !== 4);
    const { parts } = build(frames);
    expect(parts.map(({ durationMs: ms }) => Math.round(ms))).toEqual([500, 100]);
  });

  it('is independent exactly where a part begins with a keyframe', () => {
    const { parts } = build(videoFrames({ init: video, to: 2, keyframes: [0, 0.7, 1] }));
    expect(parts.map(({ independent }) => independent)).toEqual([true, false, true, false]);
  });

  it('gives the opening keyframe a moof of its own, and tells its size', () => {
    const { parts } = build(videoFrames({ init: video, to: 1 }));
    expect(parts[0]?.keyframeBytes).toBeGreaterThan(200);
    expect(parts[0]?.bytes.toString('latin1', parts[0].keyframeBytes + 4, parts[0].keyframeBytes + 8)).toBe('moof');
    expect(parts[1]?.keyframeBytes).toBe(0);
  });

  it('loses no time and no frame', () => {
    const frames = inWholeMs(videoFrames({ init: video, to: 8, fps: 29.97 }));
    const { parts } = build(frames);
    const sum = (lengths: readonly number[]): number => lengths.reduce((total, ms) => total + ms, 0);
    expect(sum(parts.map((part) => part.durationMs))).toBeCloseTo(sum(frames.map(durationMs)), 6);
  });
});

describe('PartTarget', () => {
  const fixedBy = (wantedMs: number, frames: readonly Fragment[]): number => {
    const target = new PartTarget(wantedMs);
    const [first] = frames;
    if (first?.init.kind === 'audio') target.fitFrames(durationMs(first));
    target.fix(build(frames, target.ms).parts);
    return target.ms;
  };

  it('is what was asked for, with room for rounded time stamps', () => {
    expect(fixedBy(500, videoFrames({ init: video, to: 2 }))).toBe(502);
    expect(fixedBy(250, videoFrames({ init: video, to: 2, fps: 60 }))).toBe(252);
  });

  it('is longer where single frames are, and shorter where frames fill too little of it', () => {
    expect(fixedBy(500, videoFrames({ init: video, to: 2, fps: 1 }))).toBe(1_002);
    expect(fixedBy(500, videoFrames({ init: video, to: 2, fps: 5 }))).toBe(402);
    expect(fixedBy(500, videoFrames({ init: video, to: 2, fps: 3 }))).toBe(336);
  });

  it('is rounded up to whole audio frames, so that segments do not end on a sliver', () => {
    const frames = audioFrames({ init: audioInit(), to: 2 });
    expect(fixedBy(500, frames)).toBe(512);
    expect(fixedBy(250, frames)).toBe(256);
    expect(fixedBy(100, frames)).toBe(107);
    expect(build(frames, 512).parts.map((part) => Math.round(part.durationMs))).toEqual([512, 512, 512, 469]);
  });

  it('learns nothing from a first segment with a single part, and never changes later', () => {
    const target = new PartTarget(500);
    target.fix(build(videoFrames({ init: video, to: 0.3 })).parts);
    expect(target.ms).toBe(502);
    target.fix(build(videoFrames({ init: video, to: 2, fps: 1 })).parts);
    expect(target.ms).toBe(502);
  });
});

describe('RecentParts', () => {
  const part = (bytes = 100, ms = 500): Part => {
    return { bytes: Buffer.alloc(bytes), durationMs: ms, independent: false, keyframeBytes: 0 };
  };

  it('numbers parts through all segments', () => {
    const parts = new RecentParts({ maxMs: 60_000, maxBytes: 1e9 });
    for (const msn of [7, 7, 8, 10, 10]) parts.add(msn, part());
    expect(parts.of(7).map(({ number }) => number)).toEqual([0, 1]);
    expect(parts.of(9)).toEqual([]);
    expect(parts.of(10).map(({ number }) => number)).toEqual([3, 4]);
    expect(parts.next).toBe(5);
    expect([parts.find(-1), parts.find(5), parts.find(0.5)]).toEqual([undefined, undefined, undefined]);
    for (const number of [0, 1, 2, 3, 4]) expect(parts.find(number)?.number).toBe(number);
  });

  it('forgets whole segments beyond its time and its bytes, but never the newest', () => {
    const byTime = new RecentParts({ maxMs: 4_000, maxBytes: 1e9 });
    for (let msn = 0; msn < 100; msn += 1) for (let i = 0; i < 4; i += 1) byTime.add(msn, part());
    const kept = Array.from({ length: 100 }, (_, msn) => msn).filter((msn) => byTime.of(msn).length > 0);
    expect(kept).toEqual([97, 98, 99]);
    expect([byTime.find(387), byTime.find(388)?.number]).toEqual([undefined, 388]);
    const byBytes = new RecentParts({ maxMs: 1e9, maxBytes: 1_000 });
    for (let msn = 0; msn < 10; msn += 1) byBytes.add(msn, part(2_000));
    expect([byBytes.of(7).length, byBytes.of(9).length]).toEqual([0, 1]);
  });

  it('takes the views of a complete segment without a new number or duration', () => {
    const parts = new RecentParts({ maxMs: 60_000, maxBytes: 1e9 });
    parts.add(1, part());
    const view = { ...part(), bytes: Buffer.alloc(9) };
    parts.repoint(1, [view]);
    expect(parts.find(0)).toMatchObject({ number: 0, bytes: view.bytes });
  });
});
