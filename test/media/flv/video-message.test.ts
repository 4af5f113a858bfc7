import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeAmf0 } from '../../../src/media/flv/amf0.ts';
import { MAX_TRACKS_PER_MESSAGE } from '../../../src/media/flv/enhanced-header.ts';
import { parseVideoMessage } from '../../../src/media/flv/video-message.ts';
import { AppError } from '../../../src/util/errors.ts';

const bytes = (...parts: (number | string | Buffer)[]): Buffer =>
  Buffer.concat(
    parts.map((part) =>
      typeof part === 'number' ? Buffer.from([part]) : typeof part === 'string' ? Buffer.from(part, 'latin1') : part,
    ),
  );
const DATA = Buffer.from('coded');
const uint24 = (value: number): Buffer => Buffer.from([value >> 16, value >> 8, value]);
/** First byte of an enhanced message. */
const ex = (frameType: number, packetType: number): number => 0x80 | (frameType << 4) | packetType;
const track = (trackId: number, body: Buffer): Buffer => bytes(trackId, uint24(body.length), body);

describe('a legacy video message', () => {
  it('with packet type 0 is the avcC of track 0', () => {
    expect(parseVideoMessage(bytes(0x17, 0, 0, 0, 0, DATA))).toEqual([
      { kind: 'config', trackId: 0, codec: 'avc1', config: DATA },
    ]);
  });

  it('with packet type 1 is a frame whose composition time is signed', () => {
    expect(parseVideoMessage(bytes(0x27, 1, 0xff, 0xff, 0xdf, DATA))).toEqual([
      { kind: 'frame', trackId: 0, codec: 'avc1', keyframe: false, compositionMs: -33, data: DATA },
    ]);
    expect(parseVideoMessage(bytes(0x17, 1, 0, 0, 0x85, DATA))).toMatchObject([{ keyframe: true, compositionMs: 133 }]);
  });

  it('with packet type 2 ends the track', () => {
    expect(parseVideoMessage(bytes(0x17, 2, 0, 0, 0))).toEqual([{ kind: 'end', trackId: 0 }]);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a frame without data', bytes(0x27, 1, 0, 0, 0)],
    ['a sequence header without data', bytes(0x17, 0, 0, 0, 0)],
    ['Sorenson H.263', bytes(0x22, DATA)],
    ['a command frame', bytes(0x57, 0)],
    ['an unknown AVC packet type', bytes(0x17, 9, 0, 0, 0, DATA)],
  ])('with %s is ignored', (_what, body) => {
    expect(parseVideoMessage(body)).toMatchObject([{ kind: 'ignored', trackId: 0 }]);
  });

  it('that ends inside its header is refused', () => {
    expect(() => parseVideoMessage(bytes(0x17))).toThrow(AppError);
    expect(() => parseVideoMessage(bytes(0x17, 1, 0, 0))).toThrow(AppError);
  });
});

describe('an enhanced video message', () => {
  it.each(['avc1', 'hvc1', 'av01', 'vp09'] as const)('carries the set-up of %s', (codec) => {
    expect(parseVideoMessage(bytes(ex(1, 0), codec, DATA))).toEqual([
      { kind: 'config', trackId: 0, codec, config: DATA },
    ]);
  });

  it.each(['avc1', 'hvc1'] as const)('has a signed composition time in coded frames of %s', (codec) => {
    expect(parseVideoMessage(bytes(ex(2, 1), codec, 0xff, 0xff, 0xff, DATA))).toEqual([
      { kind: 'frame', trackId: 0, codec, keyframe: false, compositionMs: -1, data: DATA },
    ]);
  });

  it.each(['av01', 'vp09'] as const)('has no composition time in coded frames of %s', (codec) => {
    expect(parseVideoMessage(bytes(ex(1, 1), codec, DATA))).toEqual([
      { kind: 'frame', trackId: 0, codec, keyframe: true, compositionMs: 0, data: DATA },
    ]);
  });

  it('has no composition time in CodedFramesX', () => {
    expect(parseVideoMessage(bytes(ex(1, 3), 'hvc1', DATA))).toMatchObject([{ compositionMs: 0, data: DATA }]);
  });

  it('ends its track, and tells colour metadata as AMF0 values', () => {
    expect(parseVideoMessage(bytes(ex(1, 2), 'hvc1'))).toEqual([{ kind: 'end', trackId: 0 }]);
    const colour = encodeAmf0('colorInfo', { colorConfig: { bitDepth: 10 } });
    expect(parseVideoMessage(bytes(ex(5, 4), 'hvc1', colour))).toEqual([
      { kind: 'metadata', trackId: 0, values: ['colorInfo', { colorConfig: { bitDepth: 10 } }] },
    ]);
  });

  it('may be a command of one byte without any body', () => {
    expect(parseVideoMessage(bytes(ex(5, 1), 0))).toMatchObject([{ kind: 'ignored' }]);
  });

  it.each([
    ['an unknown FourCC', bytes(ex(1, 1), 'vvc1', DATA)],
    ['unprintable FourCC', bytes(ex(1, 1), 0, 1, 2, 3, DATA)],
    ['an MPEG-2 TS sequence start', bytes(ex(1, 5), 'av01', DATA)],
    ['an unknown packet type', bytes(ex(1, 15), 'avc1', DATA)],
    ['an empty frame', bytes(ex(1, 3), 'avc1')],
  ])('with %s is ignored', (_what, body) => {
    expect(parseVideoMessage(body)).toMatchObject([{ kind: 'ignored' }]);
  });
});

describe('ModEx prefixes', () => {
  const inner = bytes('avc1', DATA);
  const expected = [{ kind: 'frame', trackId: 0, codec: 'avc1', keyframe: true, compositionMs: 0, data: DATA }];

  it('are skipped, be it one or several', () => {
    const nanoseconds = bytes(2, uint24(500_000));
    expect(parseVideoMessage(bytes(ex(1, 7), nanoseconds, 0x03, inner))).toEqual(expected);
    expect(parseVideoMessage(bytes(ex(1, 7), nanoseconds, 0x07, nanoseconds, 0x13, inner))).toEqual(expected);
  });

  it.each([1, 2, 255])('of %i bytes have a size of one byte', (size) => {
    expect(parseVideoMessage(bytes(ex(1, 7), size - 1, Buffer.alloc(size), 0x03, inner))).toEqual(expected);
  });

  it.each([1, 256, 257, 65_536])('of %i bytes may have a size of three bytes', (size) => {
    const long = Buffer.alloc(2);
    long.writeUInt16BE(size - 1);
    expect(parseVideoMessage(bytes(ex(1, 7), 255, long, Buffer.alloc(size), 0x03, inner))).toEqual(expected);
  });

  it('that run past the end are refused', () => {
    expect(() => parseVideoMessage(bytes(ex(1, 7), 200, inner))).toThrow(AppError);
  });
});

describe('a multitrack video message', () => {
  it('of one track has no size', () => {
    expect(parseVideoMessage(bytes(ex(1, 6), 0x00, 'avc1', 3, DATA))).toEqual([
      { kind: 'config', trackId: 3, codec: 'avc1', config: DATA },
    ]);
  });

  it('of many tracks of one codec yields them all', () => {
    const first = bytes(uint24(33), DATA);
    const second = bytes(uint24(0), 'other');
    expect(parseVideoMessage(bytes(ex(2, 6), 0x11, 'hvc1', track(0, first), track(9, second)))).toEqual([
      { kind: 'frame', trackId: 0, codec: 'hvc1', keyframe: false, compositionMs: 33, data: DATA },
      { kind: 'frame', trackId: 9, codec: 'hvc1', keyframe: false, compositionMs: 0, data: Buffer.from('other') },
    ]);
  });

  it('of many codecs names one for each track, and an unknown one does not hide the next', () => {
    const body = bytes(ex(1, 6), 0x23, 'zzzz', track(1, DATA), 'av01', track(2, DATA), 'avc1', track(0, DATA));
    expect(parseVideoMessage(body)).toMatchObject([
      { kind: 'ignored', trackId: 1 },
      { kind: 'frame', trackId: 2, codec: 'av01' },
      { kind: 'frame', trackId: 0, codec: 'avc1' },
    ]);
  });

  it('may stand behind a ModEx prefix', () => {
    expect(parseVideoMessage(bytes(ex(1, 7), 0, 0, 0x06, 0x03, 'vp09', 1, DATA))).toMatchObject([
      { kind: 'frame', trackId: 1, codec: 'vp09' },
    ]);
  });

  it.each([
    ['another multitrack message inside', bytes(ex(1, 6), 0x06, 'avc1', 0, DATA)],
    ['an unknown layout', bytes(ex(1, 6), 0x30, 'avc1', 0, DATA)],
    ['a track larger than the message', bytes(ex(1, 6), 0x13, 'avc1', 0, uint24(99), DATA)],
    ['a rest too short for a track', bytes(ex(1, 6), 0x13, 'avc1', track(0, DATA), 1)],
    ['no track', bytes(ex(1, 6), 0x13, 'avc1')],
    [
      'too many tracks',
      bytes(ex(1, 6), 0x13, 'avc1', ...Array.from({ length: MAX_TRACKS_PER_MESSAGE + 1 }, (_, i) => track(i, DATA))),
    ],
  ])('with %s is refused', (_what, body) => {
    expect(() => parseVideoMessage(body)).toThrow(AppError);
  });

  it('with as many tracks as allowed is read', () => {
    const tracks = Array.from({ length: MAX_TRACKS_PER_MESSAGE }, (_, i) => track(i, DATA));
    expect(parseVideoMessage(bytes(ex(1, 6), 0x13, 'avc1', ...tracks))).toHaveLength(MAX_TRACKS_PER_MESSAGE);
  });
});

describe('any bytes as a video message', () => {
  it('give messages inside the body, or an AppError', () => {
    const header = fc.constantFrom(0x17, 0x27, 0x90, 0x91, 0x93, 0x94, 0x96, 0x97, 0xa6, 0xd4);
    const fourCc = fc.constantFrom('avc1', 'hvc1', 'av01', 'vp09', '').map((text) => Buffer.from(text));
    const shaped = fc
      .tuple(header, fc.uint8Array({ maxLength: 3 }), fourCc, fc.uint8Array({ maxLength: 64 }))
      .map(([first, middle, codec, rest]) => bytes(first, Buffer.from(middle), codec, Buffer.from(rest)));
    const any = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array));
    fc.assert(
      fc.property(fc.oneof(shaped, any), (body) => {
        let messages;
        try {
          messages = parseVideoMessage(body);
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
          return;
        }
        const payload = messages.reduce(
          (sum, message) => sum + (message.kind === 'frame' ? message.data.length : 0),
          0,
        );
        expect(messages.length).toBeGreaterThan(0);
        expect(payload).toBeLessThanOrEqual(body.length);
      }),
      { numRuns: 3000, seed: 42 },
    );
  });
});
