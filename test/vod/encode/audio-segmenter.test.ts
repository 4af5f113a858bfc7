import { describe, expect, it } from 'vitest';
import { readSamples } from '../../../src/media/cmaf/sample-reader.ts';
import { audioGrid } from '../../../src/vod/encode/audio-grid.ts';
import { AudioSegmenter, type AudioSegmenterOptions } from '../../../src/vod/encode/audio-segmenter.ts';
import { packAudioSegment } from '../../../src/vod/encode/canonical-fragment.ts';
import { segmentDurations } from '../../../src/vod/encode/segment-durations.ts';
import type { HeadSegment } from '../../../src/vod/encode/segment-range.ts';
import type { AudioFacts } from '../../../src/vod/source/title.ts';
import type { VodAudio } from '../../../src/vod/vod-rendition.ts';

const DEFAULTS = new Map([[1, { duration: 0, size: 0, flags: 0 }]]);
const ORIGIN = 480_000;
/** Place of the unit with the number 0: those before it have no negative times. */
const ZERO = 10;
/** Segments of 10, 20 and 5 units. */
const GRID = { sampleRate: 48_000, origin: 0, edges: [0, 10, 30, 35].map((unit) => ZERO + unit) };

function segmenter(options: Partial<AudioSegmenterOptions> = {}) {
  const made: HeadSegment[] = [];
  const cutter = new AudioSegmenter({
    ...{ grid: GRID, first: 0, end: 3, channels: 2, fillsToEnd: true, ...options },
    onSegment: (segment) => made.push(segment),
  });
  return { made, segmenter: cutter };
}

/** A fragment with one unit of two bytes, its number, at a place that is given in units. */
function unit(number: number, place = number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(number);
  return packAudioSegment({
    index: 0,
    startSamples: Math.round((ZERO + place) * 1_024),
    unitSamples: 1_024,
    units: [bytes],
  });
}

/** Of each segment, its units' numbers; `-` for silence. */
function content(segments: readonly HeadSegment[]): (number | '-')[][] {
  return segments.map(({ bytes }) =>
    readSamples(bytes, DEFAULTS)[0]!.samples.map(({ data }) => (data.length === 2 ? data.readInt16BE() : '-')),
  );
}

function range(from: number, until: number): number[] {
  return Array.from({ length: until - from }, (_, index) => from + index);
}

describe('a segmenter of sound', () => {
  it('cuts units at the edges, with their times', () => {
    const { made, segmenter: cutter } = segmenter();
    for (let number = -2; number < 37; number += 1) cutter.push(unit(number));
    expect(content(made)).toEqual([range(0, 10), range(10, 30), range(30, 35)]);
    const starts = made.map(({ bytes }) => readSamples(bytes, DEFAULTS)[0]!.samples[0]!.dts - ORIGIN);
    expect(starts).toEqual([10, 20, 40].map((place) => place * 1_024));
    expect(made.map(({ durationTicks }) => durationTicks)).toEqual([19_200, 38_400, 9_600]);
    expect(cutter.next).toBe(3);
  });

  it('drops what comes before its first segment', () => {
    const { made, segmenter: cutter } = segmenter({ first: 1, end: 2 });
    for (let number = 0; number < 40; number += 1) cutter.push(unit(number));
    expect(content(made)).toEqual([range(10, 30)]);
  });

  it('ignores how containers round times', () => {
    const { made, segmenter: cutter } = segmenter({ end: 2 });
    for (let number = 0; number < 31; number += 1) cutter.push(unit(number, number + (number % 3) * 0.2 - 0.2));
    expect(content(made)).toEqual([range(0, 10), range(10, 30)]);
  });

  it('fills holes, a late start and an early end with silence, and drops what comes twice', () => {
    const { made, segmenter: cutter } = segmenter();
    for (const number of [3, 4, 5, 5, 4, 8, 9, 10]) cutter.push(unit(number));
    expect(content(made)).toEqual([['-', '-', '-', 3, 4, 5, '-', '-', 8, 9]]);
    cutter.finish();
    expect(content(made).slice(1)).toEqual([[10, ...range(0, 19).map(() => '-')], range(0, 5).map(() => '-')]);
  });

  it('keeps the sound after a hole of any length, at the nearest places', () => {
    const { made, segmenter: cutter } = segmenter({ end: 1 });
    for (const [number, place] of [
      [0, 0],
      [1, 1],
      [2, 4.4],
      [3, 5.4],
      [4, 6.4],
    ] as const) {
      cutter.push(unit(number, place));
    }
    cutter.finish();
    expect(content(made)).toEqual([[0, 1, '-', '-', 2, 3, 4, '-', '-', '-']]);
  });

  it('ends with a sound that has no picture, unless next to nothing is missing', () => {
    const short = segmenter({ fillsToEnd: false });
    for (let number = 0; number < 9; number += 1) short.segmenter.push(unit(number));
    short.segmenter.finish();
    expect(content(short.made)).toEqual([[...range(0, 9), '-']]);
    expect(short.segmenter.next).toBe(1);

    const nearly = segmenter({ fillsToEnd: false });
    for (let number = 0; number < 34; number += 1) nearly.segmenter.push(unit(number));
    nearly.segmenter.finish();
    expect(nearly.segmenter.next).toBe(3);
  });
});

describe('the grid of a sound', () => {
  const facts = { startTicks: 1_000 } as AudioFacts;
  const title = {
    plan: { boundaries: [0, 180_000, 540_000, 600_001], keyframes: [], atKeyframes: false },
    audio: [facts],
  };
  const rendition = { kind: 'audio', mode: 'encode', sampleRate: 48_000, trackIndex: 0 } as VodAudio;

  it('has edges at the units that are nearest to the picture’s, and reaches the end', () => {
    expect(audioGrid(title, rendition)).toEqual({ sampleRate: 48_000, origin: 0, edges: [0, 94, 281, 313] });
    const durations = segmentDurations(title, rendition);
    expect(durations).toEqual([180_480, 359_040, 61_440]);
  });

  it('lies where the units of a copied sound lie', () => {
    const grid = audioGrid(title, { ...rendition, mode: 'copy' });
    expect(grid.origin).toBe(533);
    expect(grid.edges).toEqual([-1, 93, 281, 312]);
  });

  it('leaves no segment without a unit', () => {
    const plan = { boundaries: [0, 100, 200, 300], keyframes: undefined, atKeyframes: false };
    expect(audioGrid({ ...title, plan }, rendition).edges).toEqual([0, 1, 2, 3]);
  });
});
