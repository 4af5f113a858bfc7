import { describe, expect, it } from 'vitest';
import { EpochTracker, MAX_GAP_MS } from '../../src/ingest/epoch-tracker.ts';
import { audioInit, videoInit } from '../support/fragments.ts';

const video = videoInit();
const audio = audioInit();

function trackerFrom(firstEpoch: number): EpochTracker {
  let next = firstEpoch;
  return new EpochTracker(() => next++);
}

/** Feeds frames like `v0 a20 v40` (kind and decode time in ms) and tells each one's epoch, or `-` for a drop. */
function place(tracker: EpochTracker, frames: string): string {
  return frames
    .split(' ')
    .map((frame) => {
      const init = frame.startsWith('v') ? video : audio;
      return tracker.place(init, Number(frame.slice(1))) ?? '-';
    })
    .join(' ');
}

describe('EpochTracker', () => {
  it('keeps a steady stream in one epoch', () => {
    expect(place(trackerFrom(7), 'v0 a66 v33 a87 v66 a108')).toBe('7 7 7 7 7 7');
  });

  it('tolerates a hole of up to the gap limit, and begins an epoch beyond it', () => {
    expect(place(trackerFrom(0), `v0 v33 v${33 + MAX_GAP_MS}`)).toBe('0 0 0');
    expect(place(trackerFrom(0), `v0 v33 v${34 + MAX_GAP_MS}`)).toBe('0 0 1');
  });

  it('drops frames slightly out of order and begins an epoch when time is reset', () => {
    expect(place(trackerFrom(0), 'v5000 v5033 v5000 v5033 v5066')).toBe('0 0 - - 0');
    expect(place(trackerFrom(0), 'v5000 v5033 v0 v33')).toBe('0 0 1 1');
  });

  it('lets audio finish the old epoch and join the new one when its own times jump', () => {
    const tracker = trackerFrom(0);
    expect(place(tracker, 'v5000 a5000 v3600000 a5021 a5042 a3600010 v3600033')).toBe('0 0 1 0 0 1 1');
  });

  it('lets audio join after the clock went back to zero', () => {
    const tracker = trackerFrom(0);
    expect(place(tracker, 'v60000 a60000 v0 a60021 a10 v33 a31')).toBe('0 0 1 0 1 1 1');
  });

  it('drops audio whose clock is nowhere near the video’s', () => {
    expect(place(trackerFrom(0), 'v0 a3600000 v33 a3600021 a50')).toBe('0 - 0 - 0');
    expect(place(trackerFrom(0), 'v0 a0 v33 a900000 v66 a80')).toBe('0 0 0 - 0 0');
  });

  it('gives video that comes long after the audio a timeline of its own', () => {
    expect(place(trackerFrom(0), 'a0 a500 v490')).toBe('0 0 0');
    expect(place(trackerFrom(0), 'a0 a500 a1000 a1500 v1490 a1510')).toBe('0 0 0 0 1 1');
  });

  it('begins an epoch at a new init, which the other track joins at the same time', () => {
    const tracker = trackerFrom(0);
    expect(place(tracker, 'v0 a0 v33 a21')).toBe('0 0 0 0');
    expect(tracker.place(videoInit('other'), 66)).toBe(1);
    expect(tracker.place(audio, 42)).toBe(0);
    expect(tracker.place(audio, 84)).toBe(1);
  });

  it('counts new inits of both tracks at one place as one epoch', () => {
    const tracker = trackerFrom(0);
    place(tracker, 'v0 a0 v33 a21');
    expect(tracker.place(audioInit('other'), 64)).toBe(1);
    expect(tracker.place(videoInit('other'), 66)).toBe(1);
    expect(tracker.epoch).toBe(1);
  });

  it('takes an init with the same bytes for the same', () => {
    const tracker = trackerFrom(0);
    place(tracker, 'v0 v33');
    expect(tracker.place(videoInit(), 66)).toBe(0);
  });

  it('follows audio alone when there is no video', () => {
    expect(place(trackerFrom(0), 'a0 a21 a3600000 a3600021 a0')).toBe('0 0 1 1 2');
  });
});
