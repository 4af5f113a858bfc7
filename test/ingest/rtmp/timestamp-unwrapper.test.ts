import { describe, expect, it } from 'vitest';
import { TimestampUnwrapper } from '../../../src/ingest/rtmp/timestamp-unwrapper.ts';

const unwrapAll = (...timestamps: number[]): number[] => {
  const unwrapper = new TimestampUnwrapper();
  return timestamps.map((timestamp) => unwrapper.unwrap(timestamp));
};

describe('timestamps of 32 bits', () => {
  it('go on forwards past 2^32, for interleaved tracks too', () => {
    expect(unwrapAll(2 ** 32 - 40, 2 ** 32 - 7, 2 ** 32 - 12, 26, 2 ** 32 - 1, 10)).toEqual([
      2 ** 32 - 40,
      2 ** 32 - 7,
      2 ** 32 - 12,
      2 ** 32 + 26,
      2 ** 32 - 1,
      2 ** 32 + 10,
    ]);
  });

  it('may jump an hour forwards and go backwards', () => {
    expect(unwrapAll(100, 3_600_100, 0, 33)).toEqual([100, 3_600_100, 0, 33]);
  });

  it('may start a little before zero', () => {
    expect(unwrapAll(0, 2 ** 32 - 21, 12)).toEqual([0, -21, 12]);
  });

  it('never get stuck far below zero', () => {
    expect(unwrapAll(100, 3_000_000_000, 3_000_000_033)).toEqual([100, 3_000_000_000, 3_000_000_033]);
  });
});
