import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AMF0_LIMITS, decodeAmf0, encodeAmf0 } from '../../../src/media/flv/amf0.ts';
import { parseStreamMetadata } from '../../../src/media/flv/stream-metadata.ts';
import { AppError } from '../../../src/util/errors.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const nested = (depth: number): Buffer => Buffer.concat(Array.from({ length: depth }, () => hex('03 0001 61')));

describe('AMF0', () => {
  it('comes back as it was encoded', () => {
    const values = ['connect', 1, { app: 'live', deep: { list: ['a', 2, true, null] } }, null, undefined, false];
    expect(decodeAmf0(encodeAmf0(...values))).toEqual(values);
    const long = 'x'.repeat(70_000);
    expect(decodeAmf0(encodeAmf0(long))).toEqual([long]);
  });

  it('reads ECMA arrays, dates, typed objects and an object that ends with the message', () => {
    expect(decodeAmf0(hex('08 00000001 0001 61 01 01 0000 09'))).toEqual([{ a: true }]);
    expect(decodeAmf0(hex('0b 3ff0000000000000 0000'))).toEqual([1]);
    expect(decodeAmf0(hex('10 0001 54 0001 61 05 0000 09'))).toEqual([{ a: null }]);
    expect(decodeAmf0(hex('03 0001 61 05'))).toEqual([{ a: null }]);
  });

  it('takes __proto__ for a name like any other', () => {
    const [value] = decodeAmf0(hex('03 0009 5f5f70726f746f5f5f 03 0001 61 0101 000009 000009'));
    expect(Object.keys(value as object)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['a']).toBeUndefined();
  });

  it('refuses what is nested deeper than the limit, and reads what is at it', () => {
    expect(() => decodeAmf0(Buffer.concat([nested(AMF0_LIMITS.maxDepth), hex('05')]))).not.toThrow();
    expect(() => decodeAmf0(Buffer.concat([nested(AMF0_LIMITS.maxDepth + 1), hex('05')]))).toThrow(AppError);
    expect(() => decodeAmf0(nested(15_000))).toThrow(AppError);
  });

  it('refuses more values than the limit and counts that no message can hold', () => {
    expect(() => decodeAmf0(Buffer.alloc(AMF0_LIMITS.maxValues, 0x05))).not.toThrow();
    expect(() => decodeAmf0(Buffer.alloc(AMF0_LIMITS.maxValues + 1, 0x05))).toThrow(AppError);
    expect(() => decodeAmf0(hex('0a ffffffff 05'))).toThrow(AppError);
  });

  it.each(['02 0010 61', '00 3ff0', '0c ffffffff', '0e', '11', '03 00'])('refuses %s', (text) => {
    expect(() => decodeAmf0(hex(text))).toThrow(AppError);
  });

  it('gives values or an AppError for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80, max: 0x12 }), (bytes) => {
        try {
          decodeAmf0(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
        }
      }),
      { numRuns: 3000, seed: 44 },
    );
  });
});

describe('stream metadata', () => {
  const members = { width: 1280, height: 720, framerate: 29.97, encoder: 'obs', videocodecid: 7 };

  it('is read with and without @setDataFrame', () => {
    const expected = { width: 1280, height: 720, frameRate: 29.97, encoder: 'obs' };
    expect(parseStreamMetadata(encodeAmf0('@setDataFrame', 'onMetaData', members))).toEqual(expected);
    expect(parseStreamMetadata(encodeAmf0('onMetaData', members))).toEqual(expected);
  });

  it('leaves out what is absurd or of the wrong type', () => {
    const absurd = { width: -1, height: 1e9, framerate: NaN, encoder: 5 };
    expect(parseStreamMetadata(encodeAmf0('onMetaData', absurd))).toEqual({});
    expect(parseStreamMetadata(encodeAmf0('onMetaData', { width: '1280', framerate: 0 }))).toEqual({});
  });

  it('is nothing in other messages', () => {
    expect(parseStreamMetadata(encodeAmf0('onCuePoint', members))).toBeUndefined();
    expect(parseStreamMetadata(encodeAmf0('@setDataFrame', 'onMetaData', null))).toBeUndefined();
    expect(parseStreamMetadata(Buffer.alloc(0))).toBeUndefined();
    expect(() => parseStreamMetadata(Buffer.from([0xff, 1, 2]))).toThrow(AppError);
  });
});
