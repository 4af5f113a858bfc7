import { beforeAll, describe, expect, it } from 'vitest';
import { box, fullBox, u32 } from '../../../src/media/cmaf/box-writer.ts';
import { readFragment } from '../../../src/media/cmaf/fragment-reader.ts';
import { readInit } from '../../../src/media/cmaf/init-reader.ts';
import { MAX_SAMPLES, readSamples, type TrackDefaults } from '../../../src/media/cmaf/sample-reader.ts';
import { AppError } from '../../../src/util/errors.ts';
import { encodeFmp4, H264, mutate, seededRandom, splitFmp4, TEST_PICTURE, TEST_TONE } from '../../support/fmp4.ts';
import { audioInit, videoInit } from '../../support/fragments.ts';

const badMedia = expect.objectContaining({ code: 'BAD_MEDIA' }) as Error;
const DEFAULTS: ReadonlyMap<number, TrackDefaults> = new Map([
  [1, { duration: 10, size: 3, flags: 0x010000 }],
  [2, { duration: 20, size: 2, flags: 0 }],
]);
const BASE_IS_MOOF = 0x020000;
const TFDT = fullBox('tfdt', 0, 0, u32(1000));

interface TrafOptions {
  readonly id?: number;
  readonly tfhd?: Buffer;
  readonly tfdt?: Buffer;
  readonly truns: readonly Buffer[];
}

function traf({ id = 1, tfhd = fullBox('tfhd', 0, BASE_IS_MOOF, u32(id)), tfdt = TFDT, truns }: TrafOptions): Buffer {
  return box('traf', tfhd, tfdt, ...truns);
}

function fragment(trafs: readonly Buffer[], payload: Buffer): Buffer {
  return Buffer.concat([box('moof', fullBox('mfhd', 0, 0, u32(1)), ...trafs), box('mdat', payload)]);
}

/** The payload's offset in a fragment with these trafs. */
function payloadAt(trafs: readonly Buffer[]): number {
  return fragment(trafs, Buffer.alloc(0)).length;
}

/** A fragment with one traf whose only trun starts at the payload. */
function simple(
  rows: readonly number[],
  flags: number,
  payload = Buffer.from('abcdefghi'),
  options: Partial<TrafOptions> = {},
): Buffer {
  const make = (at: number): Buffer[] => {
    const [samples = 0, ...rest] = rows;
    return [traf({ ...options, truns: [fullBox('trun', 1, flags | 1, u32(samples, at, ...rest))] })];
  };
  return fragment(make(payloadAt(make(0))), payload);
}

describe('readSamples', () => {
  it('takes what a fragment does not tell from the defaults', () => {
    const [track] = readSamples(simple([3], 0), DEFAULTS);
    expect(track).toEqual({
      trackId: 1,
      samples: [
        { dts: 1000, pts: 1000, duration: 10, sync: false, data: Buffer.from('abc') },
        { dts: 1010, pts: 1010, duration: 10, sync: false, data: Buffer.from('def') },
        { dts: 1020, pts: 1020, duration: 10, sync: false, data: Buffer.from('ghi') },
      ],
    });
  });

  it('prefers the values of tfhd, the first sample’s flags, and then each row’s own', () => {
    const tfhd = fullBox('tfhd', 0, BASE_IS_MOOF | 0x3a, u32(1, 1, 50, 4, 0x010000));
    const [track] = readSamples(simple([2, 0], 0x4, undefined, { tfhd }), DEFAULTS);
    expect(track?.samples.map(({ duration, sync, data }) => [duration, sync, data.toString()])).toEqual([
      [50, true, 'abcd'],
      [50, false, 'efgh'],
    ]);
    const rows = simple([2, 7, 1, 0, 0xfffffff0, 8, 2, 0x010000, 5], 0xf00, undefined, { tfhd });
    expect(readSamples(rows, DEFAULTS)[0]?.samples).toEqual([
      { dts: 1000, pts: 984, duration: 7, sync: true, data: Buffer.from('a') },
      { dts: 1007, pts: 1012, duration: 8, sync: false, data: Buffer.from('bc') },
    ]);
  });

  it('lets runs and tracks without an offset follow one another', () => {
    const make = (at: number): Buffer[] => [
      traf({ truns: [fullBox('trun', 0, 1, u32(1, at)), fullBox('trun', 0, 0, u32(1))] }),
      traf({ id: 2, tfhd: fullBox('tfhd', 0, 0, u32(2)), truns: [fullBox('trun', 0, 0, u32(1))] }),
      traf({ id: 9, truns: [fullBox('trun', 0, 0, u32(5))] }),
    ];
    const tracks = readSamples(fragment(make(payloadAt(make(0))), Buffer.from('abcdefgh')), DEFAULTS);
    expect(tracks.map(({ trackId, samples }) => [trackId, ...samples.map(({ data }) => data.toString())])).toEqual([
      [1, 'abc', 'def'],
      [2, 'gh'],
    ]);
  });

  it('keeps 64-bit decode times exactly', () => {
    const tfdt = fullBox('tfdt', 1, 0, u32(0x1000, 5));
    expect(readSamples(simple([1], 0, undefined, { tfdt }), DEFAULTS)[0]?.samples[0]?.dts).toBe(2 ** 44 + 5);
  });

  it(`takes ${MAX_SAMPLES} samples and refuses one more`, () => {
    const tfhd = fullBox('tfhd', 0, BASE_IS_MOOF | 0x10, u32(1, 0));
    expect(readSamples(simple([MAX_SAMPLES], 0, undefined, { tfhd }), DEFAULTS)[0]?.samples).toHaveLength(MAX_SAMPLES);
    expect(() => readSamples(simple([MAX_SAMPLES + 1], 0, undefined, { tfhd }), DEFAULTS)).toThrow(badMedia);
  });

  it.each<[string, () => Buffer]>([
    ['a run of 4e8 samples without rows', () => simple([4e8], 0)],
    ['a run with fewer rows than samples', () => simple([3, 1], 0x200)],
    ['a run with more rows than samples', () => simple([1, 1, 1], 0x200)],
    ['samples past the end of the mdat', () => simple([4], 0)],
    ['samples inside the moof', () => fragment([traf({ truns: [fullBox('trun', 0, 1, u32(1, 8))] })], Buffer.alloc(9))],
    [
      'samples before the moof',
      () => fragment([traf({ truns: [fullBox('trun', 0, 1, u32(1, 0xfffffff0))] })], Buffer.alloc(9)),
    ],
    ['absolute data offsets', () => simple([1], 0, undefined, { tfhd: fullBox('tfhd', 0, 1, u32(1, 0, 0)) })],
    [
      'another sample description',
      () => simple([1], 0, undefined, { tfhd: fullBox('tfhd', 0, BASE_IS_MOOF | 2, u32(1, 2)) }),
    ],
    ['no decode time', () => simple([1], 0, undefined, { tfdt: Buffer.alloc(0) })],
    ['a decode time of 2^63', () => simple([1], 0, undefined, { tfdt: fullBox('tfdt', 1, 0, u32(0x80000000, 0)) })],
    ['a short tfhd', () => simple([1], 0, undefined, { tfhd: fullBox('tfhd', 0, 0x38, u32(1)) })],
    ['an mdat alone', () => box('mdat', Buffer.alloc(9))],
    ['two mdats', () => Buffer.concat([simple([3], 0), box('mdat')])],
    ['bytes after the mdat', () => Buffer.concat([simple([3], 0), Buffer.alloc(5)])],
    [
      'thousands of boxes',
      () =>
        fragment(
          Array.from({ length: 5_000 }, () => box('free')),
          Buffer.alloc(0),
        ),
    ],
  ])('refuses %s', (_name, make) => {
    expect(() => readSamples(make(), DEFAULTS)).toThrow(badMedia);
  });

  it('refuses samples that share bytes, so that a small fragment cannot become a large one', () => {
    const make = (at: number): Buffer[] => [
      traf({ truns: [fullBox('trun', 0, 1, u32(3, at)), fullBox('trun', 0, 1, u32(1, at))] }),
    ];
    expect(() => readSamples(fragment(make(payloadAt(make(0))), Buffer.alloc(9)), DEFAULTS)).toThrow(badMedia);
  });
});

describe('the readers of fragments', () => {
  let stream: { init: Buffer; fragments: Buffer[] };

  beforeAll(async () => {
    stream = splitFmp4(await encodeFmp4([...TEST_PICTURE, ...TEST_TONE, ...H264, '-c:a', 'aac']));
  });

  it('throw nothing but BAD_MEDIA for 4,000 damaged fragments, and take no long time for any of them', () => {
    const random = seededRandom(4_000);
    const defaults = new Map(readInit(stream.init).map((track) => [track.trackId, track.defaults]));
    const init = videoInit();
    let accepted = 0;
    let slowestMs = 0;
    for (let run = 0; run < 4_000; run += 1) {
      const original = stream.fragments[run % stream.fragments.length]!;
      const damaged = mutate(original, random, 0, original.readUInt32BE(0) + 8);
      const startMs = performance.now();
      for (const read of [
        () => readSamples(damaged, defaults),
        () => readFragment(damaged, init, { epoch: 0, ingestedAtMs: 0 }),
      ]) {
        try {
          read();
          accepted += 1;
        } catch (error) {
          if (!(error instanceof AppError) || error.code !== 'BAD_MEDIA') throw error;
        }
      }
      slowestMs = Math.max(slowestMs, performance.now() - startMs);
    }
    expect(accepted).toBeGreaterThan(100);
    expect(accepted).toBeLessThan(7_500);
    expect(slowestMs).toBeLessThan(1_000);
  });
});

describe('readFragment', () => {
  it('gives a fragment with the context’s facts and only the samples', () => {
    const bytes = simple([1, 30, 9, 0, 5], 0xf00);
    const init = videoInit();
    const read = readFragment(bytes, init, { epoch: 4, ingestedAtMs: 99 })!;
    expect(read).toMatchObject({
      epoch: 4,
      ingestedAtMs: 99,
      baseDecodeTime: 1000,
      firstPts: 1005,
      endPts: 1035,
      keyframe: true,
    });
    expect(read.init).toBe(init);
    expect(read.payload.toString()).toBe('abcdefghi');
  });

  it('marks every audio sample as one to start at', () => {
    const bytes = simple([1, 30, 9, 0x010000, 0], 0xf00);
    const context = { epoch: 0, ingestedAtMs: 0 };
    expect(readFragment(bytes, audioInit(), context)?.samples[0]?.sync).toBe(true);
    expect(readFragment(bytes, videoInit(), context)?.samples[0]?.sync).toBe(false);
  });

  it('refuses a fragment without samples', () => {
    expect(() => readFragment(simple([0], 0xf00), videoInit(), { epoch: 0, ingestedAtMs: 0 })).toThrow(badMedia);
  });
});
