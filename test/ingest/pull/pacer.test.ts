import { describe, expect, it } from 'vitest';
import type { IngestFrame } from '../../../src/ingest/publication.ts';
import { Pacer, PACER_LIMITS } from '../../../src/ingest/pull/pacer.ts';
import type { TrackInit } from '../../../src/media/fragment.ts';
import { audioInit, videoInit } from '../../support/fragments.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { frameAt } from '../../support/publishers-rig.ts';

const video = videoInit();
const audio = audioInit();
const SIGNAL = new AbortController().signal;

/** A pacer that notes what leaves, and when: `v40@100` left 100 ms after the start. */
function rig({ burstMs = 0, ...options }: { burstMs?: number; unreadMs?: () => number; followsDrift?: boolean } = {}) {
  const clock = new ManualClock();
  const startMs = clock.nowMs();
  const left: string[] = [];
  const sink = {
    frame: (init: TrackInit, frame: IngestFrame) => {
      const atMs = Math.round((frame.dts * 1000) / init.timescale);
      left.push(`${init.kind.charAt(0)}${atMs}@${clock.nowMs() - startMs}`);
    },
    discontinuity: () => void left.push('break'),
  };
  const pacer = new Pacer({ sink, clock, burstMs, ...options });
  const push = (frames: string, stretch = 0): void => {
    for (const frame of frames.split(' ')) {
      const init = frame.startsWith('v') ? video : audio;
      pacer.push({ init, frame: frameAt(Number(frame.slice(1)), init.timescale) }, stretch);
    }
  };
  /** Frames of one track, 20 ms each. */
  const pushMany = (kind: 'v' | 'a', fromMs: number, toMs: number, stretch = 0): void => {
    for (let ms = fromMs; ms < toMs; ms += 20) push(`${kind}${ms}`, stretch);
  };
  return { clock, left, pacer, push, pushMany };
}

describe('Pacer', () => {
  it('lets frames leave in real time, both tracks in the order of their times', () => {
    const { push, clock, left } = rig();
    push('v1000 v1040 v1080 a1000 a1021 a1060 a1100');
    clock.advance(60);
    expect(left).toEqual(['v1000@20', 'a1000@20', 'a1021@60', 'v1040@60']);
    clock.advance(60);
    expect(left.slice(4)).toEqual(['a1060@80', 'v1080@100']);
  });

  it('begins with a burst, also when the source needs time to fill it', () => {
    const { pushMany, clock, left } = rig({ burstMs: 1_000 });
    pushMany('v', 0, 500);
    clock.advance(20);
    expect(left).toHaveLength(25);
    clock.advance(300);
    pushMany('v', 500, 3_000);
    clock.advance(20);
    expect(left.at(-1)).toBe('v1320@340');
    clock.advance(400);
    expect(left.at(-1)).toBe('v1720@740');
  });

  it('moves its schedule when the source is late, and tells how often that was', () => {
    const { pushMany, clock, left, pacer } = rig();
    pushMany('v', 0, 200);
    clock.advance(1_000);
    expect(left).toHaveLength(10);
    pushMany('v', 200, 1_000);
    clock.advance(20);
    expect(left.at(-1)).toBe('v200@1020');
    clock.advance(100);
    expect(left.at(-1)).toBe('v300@1120');
    expect(pacer.underruns).toBe(1);
  });

  it('goes on with a burst after a long silence', () => {
    const { pushMany, clock, left } = rig({ burstMs: 500 });
    pushMany('v', 0, 600);
    clock.advance(10_000);
    pushMany('v', 600, 4_000);
    clock.advance(20);
    expect(left.at(-1)).toBe('v1100@10020');
  });

  it('keeps its schedule when frames are just in time', () => {
    const { pushMany, clock, left, pacer } = rig();
    for (let ms = 0; ms < 4_000; ms += 100) {
      pushMany('v', ms, ms + 100);
      clock.advance(100);
    }
    expect(left).toHaveLength(200);
    expect(left.at(-1)).toBe('v3980@4000');
    expect(pacer.underruns).toBe(0);
  });

  it('waits for a track that lags, but not for ever, and not again before it is back', () => {
    const { pushMany, push, clock, left } = rig();
    push('a0 v0');
    pushMany('v', 20, 5_000);
    clock.advance(PACER_LIMITS.trackWaitMs);
    expect(left).toEqual(['a0@20', 'v0@20']);
    clock.advance(1_000);
    const alone = left.length;
    expect(alone).toBeGreaterThan(40);
    push('a1500 a1520 a1540');
    clock.advance(1_000);
    expect(left.filter((frame) => frame.startsWith('a'))).toHaveLength(4);
  });

  it('announces a break before its first frame, and drops what comes of the time before', () => {
    const { push, clock, left } = rig({ burstMs: 1_000 });
    push('v0 a0', 3);
    push('v40', 4);
    push('a20', 3);
    push('a60', 4);
    push('a70', 3);
    push('v80', 4);
    clock.advance(20);
    expect(left).toEqual(['v0@20', 'a0@20', 'a20@20', 'break', 'v40@20', 'a60@20', 'v80@20']);
  });

  it('is full at a limit of media, and has room again when some of it has left', async () => {
    const { pushMany, clock, pacer } = rig();
    pushMany('v', 0, PACER_LIMITS.maxBufferedMs - 20);
    expect(pacer.isFull()).toBe(false);
    await pacer.room(SIGNAL);
    pushMany('v', PACER_LIMITS.maxBufferedMs - 20, PACER_LIMITS.maxBufferedMs + 20);
    expect(pacer.isFull()).toBe(true);
    let hasRoom = false;
    const room = pacer.room(SIGNAL).then(() => (hasRoom = true));
    await Promise.resolve();
    expect(hasRoom).toBe(false);
    clock.advance(40);
    await room;
    expect(pacer.isFull()).toBe(false);
  });

  it('is full at a limit of bytes', () => {
    const { pacer } = rig();
    const data = Buffer.alloc(PACER_LIMITS.maxBufferedBytes / 2);
    pacer.push({ init: video, frame: { ...frameAt(0), data } });
    expect(pacer.isFull()).toBe(false);
    pacer.push({ init: video, frame: { ...frameAt(20), data } });
    expect(pacer.isFull()).toBe(true);
  });

  it('is full for the track that is ahead only, so that the other one can catch up', () => {
    const { pushMany, pacer } = rig();
    pushMany('v', 0, 6_000);
    pushMany('a', 0, 1_000);
    expect([pacer.isFull(['video']), pacer.isFull(['audio']), pacer.isFull()]).toEqual([true, false, true]);
  });

  it('tells when all has left, and lets nobody wait after an abort or its end', async () => {
    const { pushMany, clock, pacer } = rig();
    pushMany('v', 0, 100);
    const drained = pacer.drained(SIGNAL);
    clock.advance(200);
    await drained;
    pushMany('v', 100, 20_000);
    const abort = new AbortController();
    const waits = [pacer.room(abort.signal), pacer.drained(abort.signal)];
    abort.abort();
    await Promise.all(waits);
    const last = [pacer.room(SIGNAL), pacer.drained(SIGNAL)];
    await pacer.close();
    await Promise.all(last);
    expect(clock.pending).toBe(0);
  });

  it('follows a source whose clock is faster than ours', () => {
    let offeredMs = 6_000;
    let handedMs = 0;
    const { clock, left, pacer, pushMany } = rig({ unreadMs: () => offeredMs - handedMs });
    for (let second = 0; second < 600; second += 1) {
      for (; !pacer.isFull() && handedMs < offeredMs; handedMs += 20) pushMany('v', handedMs, handedMs + 20);
      clock.advance(1_000);
      offeredMs += 1_010;
    }
    const behindMs = offeredMs - Number(/^v(\d+)@/.exec(left.at(-1)!)![1]);
    expect(behindMs).toBeLessThan(9_500);
    expect(pacer.underruns).toBe(0);
  });

  it('follows a source whose clock is slower than ours without running dry', () => {
    let offeredMs = 2_000;
    let handedMs = 0;
    const { clock, pacer, pushMany } = rig({ unreadMs: () => offeredMs - handedMs });
    for (let step = 0; step < 6_000; step += 1) {
      for (; !pacer.isFull() && handedMs < offeredMs; handedMs += 20) pushMany('v', handedMs, handedMs + 20);
      clock.advance(100);
      offeredMs += 99.7;
    }
    expect(pacer.underruns).toBe(0);
    expect(pacer.speed).toBeLessThanOrEqual(1);
  });

  it('keeps to real time when it is told that the source has an end', () => {
    let handedMs = 0;
    const { clock, left, pacer, pushMany } = rig({ unreadMs: () => 3_600_000, followsDrift: false });
    for (let step = 0; step < 300; step += 1) {
      for (; !pacer.isFull(); handedMs += 20) pushMany('v', handedMs, handedMs + 20);
      clock.advance(100);
    }
    expect(pacer.speed).toBe(1);
    expect(left.at(-1)).toBe('v29980@30000');
  });
});
