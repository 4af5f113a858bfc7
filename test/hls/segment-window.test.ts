import { describe, expect, it } from 'vitest';
import type { StoredBytes } from '../../src/cache/track-store.ts';
import type { Segment } from '../../src/hls/segment.ts';
import { SegmentWindow, type WindowStore } from '../../src/hls/segment-window.ts';
import { LADDER_TIMESCALE } from '../../src/media/fragment.ts';
import { videoInit } from '../support/hls-fragments.ts';

const BYTES = 1_000;
const INIT = videoInit();

/** A segment of 2 s. */
function segment(msn: number, { gap = false, initName = 'init-0.mp4', bytes = BYTES } = {}): Segment {
  const media = gap ? undefined : { bytes: Buffer.alloc(bytes, msn), parts: [], frames: 60 };
  return {
    slot: {
      msn,
      epoch: 0,
      startPts: msn * 2 * LADDER_TIMESCALE,
      endPts: (msn + 1) * 2 * LADDER_TIMESCALE,
      closedAtMs: 0,
      discontinuity: false,
      discontinuitySequence: 0,
      programDateTimeMs: msn * 2_000,
      pdtAnchor: false,
    },
    ...{
      name: `v-${msn}.m4s`,
      durationMs: 2_000,
      programDateTimeMs: msn * 2_000,
      initName,
      gap,
      media,
      keyframeBytes: 0,
    },
    bytes: media?.bytes.length ?? 0,
  };
}

/** A disk that does what it is told. */
class FakeStore implements WindowStore {
  readonly files = new Map<string, StoredBytes>();
  readonly retired = new Set<string>();
  refuses = false;

  add({ name, gap, bytes }: Segment): void {
    if (!this.refuses && !gap) this.files.set(name, { path: `/disk/${name}`, size: bytes });
  }

  find(name: string): StoredBytes | undefined {
    return this.files.get(name);
  }

  isFresh(name: string): boolean {
    return this.files.has(name) && !this.retired.has(name);
  }

  delete(name: string): void {
    this.files.delete(name);
  }
}

function fill(window: SegmentWindow, count: number, from = 0): void {
  if (from === 0) window.addInit('init-0.mp4', INIT);
  for (let msn = from; msn < from + count; msn += 1) window.add(segment(msn));
}

const msns = (segments: readonly Segment[]): number[] => segments.map(({ slot }) => slot.msn);
const span = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

describe('SegmentWindow', () => {
  it('without time-shift lists the newest segments and keeps as many more', () => {
    const window = new SegmentWindow({ liveSegments: 8, dvrMs: 0, maxMemoryBytes: 1e9 });
    fill(window, 40);
    expect(msns(window.listed)).toEqual(span(32, 39));
    expect(msns(window.kept)).toEqual(span(24, 39));
    expect(window.file(24)).toMatchObject({ bytes: Buffer.alloc(BYTES, 24) });
    expect(window.file(23)).toBeUndefined();
    expect(window.bytes).toBe(16 * BYTES);
  });

  it('lists what the store has, as far back as it may, and keeps it fetchable for as long again', () => {
    const store = new FakeStore();
    const window = new SegmentWindow({ liveSegments: 6, dvrMs: 60_000, maxMemoryBytes: 1e9, store });
    fill(window, 200);
    expect(msns(window.listed)).toEqual(span(170, 199));
    expect(window.bytes).toBe(12 * BYTES);
    expect(window.file(188)).toHaveProperty('bytes');
    expect(window.file(187)).toEqual({ path: '/disk/v-187.m4s', size: BYTES });
    expect(window.find(187)).toMatchObject({ media: undefined, gap: false, bytes: BYTES });
    expect(window.file(140)).toEqual({ path: '/disk/v-140.m4s', size: BYTES });
    expect(msns(window.kept)[0]).toBe(139);
    expect(store.files.size).toBe(61);
  });

  it('lists no more than memory holds if there is no store', () => {
    const window = new SegmentWindow({ liveSegments: 6, dvrMs: 600_000, maxMemoryBytes: 1e9 });
    fill(window, 100);
    expect(msns(window.listed)).toEqual(span(88, 99));
  });

  it('unlists a segment that never got to the disk when it leaves memory, and what lies before it', () => {
    const store = new FakeStore();
    const window = new SegmentWindow({ liveSegments: 6, dvrMs: 600_000, maxMemoryBytes: 1e9, store });
    fill(window, 20);
    store.refuses = true;
    fill(window, 1, 20);
    store.refuses = false;
    fill(window, 11, 21);
    expect(msns(window.listed)).toEqual(span(0, 31));
    fill(window, 1, 32);
    expect(msns(window.listed)).toEqual(span(21, 32));
    expect(window.file(20)).toBeUndefined();
    expect(window.file(19)).toBeDefined();
    fill(window, 50, 33);
    expect(msns(window.listed)).toEqual(span(21, 82));
  });

  it('unlists what the store is about to give up, while it can still be fetched', () => {
    const store = new FakeStore();
    const window = new SegmentWindow({ liveSegments: 6, dvrMs: 600_000, maxMemoryBytes: 1e9, store });
    fill(window, 50);
    for (const msn of span(0, 9)) store.retired.add(`v-${msn}.m4s`);
    fill(window, 1, 50);
    expect(msns(window.listed)).toEqual(span(10, 50));
    expect(window.file(5)).toBeDefined();
  });

  it('never lists fewer than the live window because of the disk', () => {
    const store = new FakeStore();
    store.refuses = true;
    const window = new SegmentWindow({ liveSegments: 6, dvrMs: 600_000, maxMemoryBytes: 1e9, store });
    fill(window, 50);
    expect(msns(window.listed)).toEqual(span(38, 49));
  });

  it('keeps memory below its limit, but never less than three segments', () => {
    const window = new SegmentWindow({ liveSegments: 6, dvrMs: 0, maxMemoryBytes: 5 * BYTES });
    fill(window, 20);
    expect(msns(window.listed)).toEqual(span(15, 19));
    expect(window.bytes).toBe(5 * BYTES);
    window.add(segment(20, { bytes: 100 * BYTES }));
    expect(msns(window.listed)).toEqual(span(18, 20));
  });

  it('offers the segments that left memory for its bytes from the store', () => {
    const store = new FakeStore();
    const window = new SegmentWindow({ liveSegments: 6, dvrMs: 0, maxMemoryBytes: 4 * BYTES, store });
    fill(window, 20);
    expect(msns(window.listed)).toEqual(span(14, 19));
    expect(window.file(14)).toHaveProperty('path');
    expect(window.file(16)).toHaveProperty('bytes');
  });

  it('goes back over gaps, which need no media', () => {
    const store = new FakeStore();
    const window = new SegmentWindow({ liveSegments: 6, dvrMs: 600_000, maxMemoryBytes: 1e9, store });
    fill(window, 10);
    window.add(segment(10, { gap: true }));
    fill(window, 30, 11);
    expect(msns(window.listed)).toEqual(span(0, 40));
    expect(window.file(10)).toBeUndefined();
    window.unlistThroughGaps();
    expect(msns(window.listed)).toEqual(span(11, 40));
    fill(window, 1, 41);
    expect(msns(window.listed)).toEqual(span(11, 41));
  });

  it('keeps an init for as long as a segment needs it, and the newest one', () => {
    const window = new SegmentWindow({ liveSegments: 6, dvrMs: 0, maxMemoryBytes: 1e9 });
    fill(window, 5);
    window.addInit('init-1.mp4', INIT);
    expect(window.init('init-1.mp4')).toBe(INIT);
    for (const msn of span(5, 15)) window.add(segment(msn, { initName: 'init-1.mp4' }));
    expect(window.init('init-0.mp4')).toBe(INIT);
    window.add(segment(16, { initName: 'init-1.mp4' }));
    expect(msns(window.kept)[0]).toBe(5);
    expect(window.init('init-0.mp4')).toBeUndefined();
    window.clear();
    expect(window.init('init-1.mp4')).toBe(INIT);
  });

  it('forgets an init that no segment ever needed', () => {
    const window = new SegmentWindow({ liveSegments: 6, dvrMs: 0, maxMemoryBytes: 1e9 });
    for (let count = 0; count < 5; count += 1) window.addInit(`init-${count}.mp4`, INIT);
    expect(span(0, 4).filter((count) => window.init(`init-${count}.mp4`) !== undefined)).toEqual([4]);
  });

  it('clears the store with itself, and begins anew at any number', () => {
    const store = new FakeStore();
    const window = new SegmentWindow({ liveSegments: 6, dvrMs: 600_000, maxMemoryBytes: 1e9, store });
    fill(window, 50);
    window.clear();
    expect([window.listed, window.kept, window.bytes, store.files.size]).toEqual([[], [], 0, 0]);
    window.addInit('init-0.mp4', INIT);
    fill(window, 3, 80);
    expect(msns(window.listed)).toEqual(span(80, 82));
  });
});
