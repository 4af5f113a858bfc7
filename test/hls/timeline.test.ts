import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Slot } from '../../src/hls/slot.ts';
import { Timeline } from '../../src/hls/timeline.ts';
import type { Fragment } from '../../src/media/fragment.ts';
import {
  audioFrames,
  audioInit,
  byArrival,
  gridKeyframes,
  STREAM_START_MS,
  videoFrames,
  videoInit,
} from '../support/hls-fragments.ts';

const source = videoInit();
const rung = videoInit({ width: 640, height: 360 });
const aac = audioInit();

function newTimeline(): Timeline {
  return new Timeline({ segmentTargetMs: 2_000, keepSlots: 1_000 });
}

/** Feeds fragments by their init: the source's and audio's as source, the rung's as output. */
function feed(timeline: Timeline, ...rows: readonly (readonly Fragment[])[]): Timeline {
  for (const fragment of byArrival(...rows)) {
    if (fragment.init === rung) timeline.observeRung(fragment);
    else timeline.observeSource(fragment);
  }
  return timeline;
}

function slots(timeline: Timeline): Slot[] {
  const count = timeline.nextMsn;
  return Array.from({ length: count }, (_, msn) => timeline.slot(msn)).filter((slot) => slot !== undefined);
}

/** Starts of all slots in seconds. */
function starts(timeline: Timeline): number[] {
  return slots(timeline).map(({ startPts }) => Math.round((startPts / 90_000) * 1_000) / 1_000);
}

function durations(timeline: Timeline): number[] {
  return slots(timeline).map(({ startPts, endPts }) => (((endPts ?? startPts) - startPts) * 1) / 90_000);
}

function withRung(
  keyframes: readonly number[] | number,
  to: number,
  grid: readonly number[] | number = keyframes,
): Timeline {
  return feed(
    newTimeline(),
    videoFrames({ init: source, to, keyframes }),
    videoFrames({ init: rung, to, keyframes: grid, lateMs: 150 }),
  );
}

describe('Timeline with regular keyframes', () => {
  it('makes segments of 2 s of a 1 s GOP', () => {
    expect(starts(withRung(1, 9))).toEqual([0, 2, 4, 6, 8]);
  });

  it('makes segments of 1.5 s of a 1.5 s GOP', () => {
    expect(starts(withRung(1.5, 7))).toEqual([0, 1.5, 3, 4.5, 6]);
  });

  it('makes segments of 2 s of a 2 s GOP', () => {
    expect(starts(withRung(2, 9))).toEqual([0, 2, 4, 6, 8]);
  });

  it('closes after 1.5 s of a 0.5 s GOP, since a target duration more could be too long', () => {
    expect(starts(withRung(0.5, 7))).toEqual([0, 1.5, 3, 4.5, 6]);
  });

  it('is aligned once two GOPs in a row fit, and not before', () => {
    const timeline = newTimeline();
    feed(timeline, videoFrames({ init: source, to: 4, keyframes: 2 }));
    expect(timeline.aligned).toBe(false);
    feed(timeline, videoFrames({ init: source, from: 4, to: 4.1, keyframes: 2 }));
    expect(timeline.aligned).toBe(true);
    expect(starts(timeline)).toEqual([0, 2, 4]);
  });

  it('decides as the source arrives once it is aligned, without waiting for a rung', () => {
    const timeline = feed(newTimeline(), videoFrames({ init: source, to: 7, keyframes: 2 }));
    expect(timeline.locate(0, 6.5 * 90_000)).toMatchObject({ msn: 3 });
    expect(timeline.locate(0, 7.5 * 90_000)).toBe('undecided');
  });

  it('places the boundaries by presentation time when the source has B-frames', () => {
    const timeline = feed(newTimeline(), videoFrames({ init: source, to: 9, keyframes: 2, reorder: 2 }));
    expect(starts(timeline)).toEqual([0.067, 2.067, 4.067, 6.067, 8.067]);
  });
});

describe('Timeline with long GOPs', () => {
  const sourceKeyframes = [0, 8.3333, 16.6667];
  const grid = gridKeyframes(sourceKeyframes, 20);

  it('follows the keyframes of the encoded rungs and makes no stub of the distance to the source keyframe', () => {
    const timeline = withRung(sourceKeyframes, 20, grid);
    expect(timeline.aligned).toBe(false);
    expect(starts(timeline)).toEqual([0, 2, 4, 6, 8, 10.333, 12.333, 14.333, 16.333, 18.667]);
    expect(timeline.sourceGopMs).toBeCloseTo(8333, -1);
  });

  it('leaves undecided what no rung has reached', () => {
    const timeline = withRung(sourceKeyframes, 7, grid);
    expect(timeline.locate(0, 6.8 * 90_000)).toMatchObject({ msn: 3 });
    expect(timeline.locate(0, 6.98 * 90_000)).toBe('undecided');
  });

  it('lets the first offer of a keyframe decide for a rung that is slow', () => {
    const slow = videoFrames({ init: rung, to: 20, keyframes: grid, lateMs: 3_000 });
    const timeline = feed(withRung(sourceKeyframes, 20, grid), slow);
    expect(starts(timeline)).toEqual([0, 2, 4, 6, 8, 10.333, 12.333, 14.333, 16.333, 18.667]);
  });

  it('becomes aligned when the publisher shortens its GOP, and unaligned when it lengthens it', () => {
    const keyframes = [0, 8, 10, 12, 14, 22];
    const timeline = newTimeline();
    const sourceFrames = videoFrames({ init: source, to: 24, keyframes });
    const rungFrames = videoFrames({ init: rung, to: 24, keyframes: gridKeyframes(keyframes, 24), lateMs: 150 });
    const seen: boolean[] = [];
    for (const fragment of byArrival(sourceFrames, rungFrames)) {
      feed(timeline, [fragment]);
      if (seen.at(-1) !== timeline.aligned) seen.push(timeline.aligned);
    }
    expect(seen).toEqual([false, true, false]);
    expect(starts(timeline)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]);
  });

  it('keeps what it decided when an aligned source skips its keyframe', () => {
    const keyframes = [0, 1, 2, 3, 4, 5, 6, 13];
    const timeline = withRung(keyframes, 15, gridKeyframes(keyframes, 15));
    expect(starts(timeline)).toEqual([0, 2, 4, 6, 8, 10, 12, 13]);
    expect(Math.max(...durations(timeline))).toBeLessThan(3.5);
  });

  it('cuts an encoder that offers no keyframe at all after three targets', () => {
    const timeline = withRung([0], 20, [0]);
    expect(Math.max(...durations(timeline))).toBeLessThan(6.1);
    expect(starts(timeline).length).toBeGreaterThan(2);
  });
});

describe('Timeline with irregular keyframes', () => {
  it('keeps every segment within the target duration at scene cuts', () => {
    const keyframes = [0, 2, 4, 5.3, 7.3, 9.3, 9.8, 11.8, 13.8, 14, 16];
    const timeline = withRung(keyframes, 18, gridKeyframes(keyframes, 18));
    for (const duration of durations(timeline)) expect(Math.round(duration)).toBeLessThanOrEqual(3);
    const isKeyframe = (start: number): boolean => keyframes.some((at) => Math.abs(at - start) < 0.02);
    expect(starts(timeline).every(isKeyframe)).toBe(true);
  });
});

describe('Timeline segments', () => {
  const targetSeconds = 3;

  it('are never longer than the target duration, whatever the publisher does', () => {
    const gops = fc.array(fc.integer({ min: 3, max: 90 }), { minLength: 1, maxLength: 12 });
    const epochs = fc.array(fc.record({ gops, tail: fc.integer({ min: 1, max: 150 }) }), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(epochs, fc.integer({ min: 0, max: 900 }), (plan, rungLateMs) => {
        const timeline = newTimeline();
        let atMs = 0;
        for (const [epoch, { gops, tail }] of plan.entries()) {
          const keyframes = [0];
          for (const frames of gops) keyframes.push((keyframes.at(-1) ?? 0) + frames / 30);
          const to = (keyframes.at(-1) ?? 0) + tail / 30;
          const span = { to, epoch, lateMs: atMs };
          feed(
            timeline,
            videoFrames({ init: source, keyframes, ...span }),
            videoFrames({ init: rung, keyframes: gridKeyframes(keyframes, to), ...span, lateMs: atMs + rungLateMs }),
          );
          atMs += to * 1_000;
        }
        timeline.end();
        const seconds = durations(timeline);
        expect(seconds.filter((duration) => Math.round(duration + 0.03) > targetSeconds)).toEqual([]);
        expect(seconds.every((duration) => duration > 0)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });
});

describe('Timeline epochs', () => {
  it('numbers on and marks a discontinuity at each new epoch', () => {
    const timeline = feed(
      newTimeline(),
      videoFrames({ init: source, to: 7, keyframes: 2 }),
      videoFrames({ init: source, to: 5, keyframes: 2, epoch: 1, lateMs: 9_000 }),
    );
    const table = slots(timeline).map(({ msn, epoch, discontinuity, discontinuitySequence }) => [
      msn,
      epoch,
      discontinuity,
      discontinuitySequence,
    ]);
    expect(table.slice(2)).toEqual([
      [2, 0, false, 0],
      [3, 0, false, 0],
      [4, 1, true, 1],
      [5, 1, false, 1],
      [6, 1, false, 1],
    ]);
    expect(timeline.slot(3)?.endPts).toBe(7 * 90_000);
  });

  it('waits with a new epoch until the rungs are through with the old one', () => {
    const long = { keyframes: [0] };
    const timeline = newTimeline();
    feed(
      timeline,
      videoFrames({ init: source, to: 7, ...long }),
      videoFrames({ init: rung, to: 5, keyframes: [0, 2, 4] }),
    );
    feed(timeline, videoFrames({ init: source, to: 1, epoch: 1, lateMs: 7_000, ...long }));
    expect(starts(timeline)).toEqual([0, 2, 4]);
    feed(timeline, videoFrames({ init: rung, from: 5, to: 7, keyframes: [6] }));
    feed(timeline, videoFrames({ init: rung, to: 0.5, epoch: 1, keyframes: [0], lateMs: 7_000 }));
    expect(starts(timeline)).toEqual([0, 2, 4, 6, 0]);
    expect(timeline.slot(3)?.endPts).toBe(7 * 90_000);
  });

  it('places audio that starts up to half a second early in the first slot, and drops what is older', () => {
    const timeline = feed(newTimeline(), videoFrames({ init: source, from: 3, to: 8, keyframes: 2 }));
    expect(timeline.locate(0, 2.6 * 90_000)).toMatchObject({ msn: 0 });
    expect(timeline.locate(0, 2.4 * 90_000)).toBe('gone');
  });

  it('goes on from an earlier life with a discontinuity', () => {
    const timeline = new Timeline({ segmentTargetMs: 2_000, keepSlots: 10, firstMsn: 40, discontinuitiesBefore: 2 });
    feed(timeline, videoFrames({ init: source, to: 1 }));
    expect(timeline.newest).toMatchObject({ msn: 40, discontinuity: true, discontinuitySequence: 3 });
  });

  it('survives a publisher that changes its epoch all the time', () => {
    const timeline = newTimeline();
    for (let epoch = 0; epoch < 200; epoch += 1) {
      feed(timeline, videoFrames({ init: source, to: 0.2, epoch, lateMs: epoch * 200 }));
    }
    timeline.end();
    expect(timeline.nextMsn).toBe(200);
  });
});

describe('Timeline without encoders', () => {
  it('lets the source drive, with cuts at target distance, when no rung delivers for three targets', () => {
    const timeline = feed(newTimeline(), videoFrames({ init: source, to: 20, keyframes: [0, 8.3333, 16.6667] }));
    expect(timeline.sourceDriven).toBe(true);
    expect(starts(timeline)).toEqual([0, 2, 4, 6, 8.333, 10.333, 12.333, 14.333, 16.667, 18.667]);
  });

  it('hands over to a rung that comes back without a boundary in the past', () => {
    const keyframes = [0, 8.3333, 16.6667, 25];
    const timeline = newTimeline();
    feed(
      timeline,
      videoFrames({ init: source, to: 30, keyframes }),
      videoFrames({ init: rung, to: 3, keyframes: gridKeyframes(keyframes, 30), lateMs: 150 }),
      videoFrames({ init: rung, from: 16.6667, to: 30, keyframes: gridKeyframes(keyframes, 30), lateMs: 150 }),
    );
    const all = starts(timeline);
    expect(all).toEqual([...all].sort((a, b) => a - b));
    expect(all.slice(-3)).toEqual([24.667, 27, 29]);
    expect(Math.max(...durations(timeline))).toBeLessThan(3.5);
  });

  it('does not take a burst for dead encoders', () => {
    const timeline = newTimeline();
    for (const fragment of videoFrames({ init: source, to: 20, keyframes: [0, 8.3333, 16.6667] })) {
      timeline.observeSource({ ...fragment, ingestedAtMs: STREAM_START_MS });
    }
    expect(timeline.sourceDriven).toBe(false);
  });

  it('goes on with audio when the video stands still', () => {
    const timeline = feed(
      newTimeline(),
      videoFrames({ init: source, to: 7, keyframes: 2 }),
      audioFrames({ init: aac, to: 40 }),
    );
    expect(timeline.locate(0, 30 * 90_000)).toMatchObject({ epoch: 0 });
    expect(Math.max(...durations(timeline))).toBeLessThanOrEqual(3);
  });
});

describe('Timeline of audio alone', () => {
  it('cuts at target distance once there is no video for long enough', () => {
    const timeline = feed(newTimeline(), audioFrames({ init: aac, to: 9 }));
    expect(starts(timeline)).toEqual([0, 2, 4, 6, 8]);
  });

  it('waits for video at first', () => {
    const timeline = feed(newTimeline(), audioFrames({ init: aac, to: 1 }));
    expect(timeline.newest).toBeUndefined();
    feed(timeline, videoFrames({ init: source, from: 1, to: 6, keyframes: 2, lateMs: 100 }));
    expect(starts(timeline)).toEqual([1, 3, 5]);
  });
});

describe('Timeline dates', () => {
  const dates = (timeline: Timeline): number[] =>
    slots(timeline).map(({ programDateTimeMs }) => programDateTimeMs - STREAM_START_MS);

  it('follows the arrival of the first keyframe and then the media', () => {
    const timeline = feed(newTimeline(), videoFrames({ init: source, to: 7, keyframes: 2, lateMs: 40 }));
    expect(dates(timeline)).toEqual([40, 2_040, 4_040, 6_040]);
    expect(slots(timeline).map(({ pdtAnchor }) => pdtAnchor)).toEqual([true, false, false, false]);
  });

  it('is not moved by a pause of the network and the burst that follows it', () => {
    const timeline = newTimeline();
    for (const fragment of videoFrames({ init: source, to: 40, keyframes: 2 })) {
      const arrivedMs = fragment.ingestedAtMs - STREAM_START_MS;
      const delayedMs = arrivedMs > 15_000 && arrivedMs < 20_000 ? 20_000 : arrivedMs;
      timeline.observeSource({ ...fragment, ingestedAtMs: STREAM_START_MS + delayedMs });
    }
    expect(slots(timeline).filter(({ pdtAnchor }) => pdtAnchor)).toHaveLength(1);
  });

  it('is re-anchored once, forwards, when the publisher lost media time', () => {
    const timeline = feed(
      newTimeline(),
      videoFrames({ init: source, to: 20, keyframes: 2 }),
      videoFrames({ init: source, from: 20, to: 50, keyframes: 2, lateMs: 2_500 }),
    );
    const anchors = slots(timeline).filter(({ pdtAnchor }) => pdtAnchor);
    expect(anchors).toHaveLength(2);
    expect(anchors[1]?.startPts).toBeGreaterThan(28 * 90_000);
    expect(dates(timeline).at(-1)).toBe(50_500);
  });

  it('never runs backwards, also when an epoch follows in a burst', () => {
    const timeline = feed(
      newTimeline(),
      videoFrames({ init: source, to: 7, keyframes: 2 }),
      videoFrames({ init: source, to: 3, keyframes: 2, epoch: 1, lateMs: 6_980 }),
    );
    expect(dates(timeline)).toEqual([0, 2_000, 4_000, 6_000, 7_000, 9_000]);
  });
});
