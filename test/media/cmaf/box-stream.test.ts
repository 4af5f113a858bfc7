import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BOX_STREAM_LIMITS, BoxStream, type BoxStreamItem } from '../../../src/media/cmaf/box-stream.ts';
import { box, u32 } from '../../../src/media/cmaf/box-writer.ts';

const FTYP = box('ftyp', Buffer.from('isom0000'));
const MOOV = box('moov', Buffer.alloc(300, 1));
const MOOF = box('moof', Buffer.alloc(60, 2));
const MDAT = box('mdat', Buffer.alloc(500, 3));

function wideBox(type: string, content: Buffer): Buffer {
  return Buffer.concat([u32(1), Buffer.from(type), u32(0, 16 + content.length), content]);
}

const STREAM = Buffer.concat([
  FTYP,
  MOOV,
  box('styp', Buffer.alloc(8)),
  box('sidx', Buffer.alloc(40)),
  MOOF,
  MDAT,
  box('free'),
  wideBox('emsg', Buffer.alloc(30)),
  MOOF,
  box('free', Buffer.alloc(3)),
  wideBox('mdat', Buffer.alloc(70, 4)),
  FTYP,
  MOOV,
  MOOF,
  box('mdat'),
  box('mfra', Buffer.alloc(90)),
]);

const EXPECTED: BoxStreamItem[] = [
  { type: 'init', bytes: Buffer.concat([FTYP, MOOV]) },
  { type: 'fragment', bytes: Buffer.concat([MOOF, MDAT]) },
  { type: 'fragment', bytes: Buffer.concat([MOOF, wideBox('mdat', Buffer.alloc(70, 4))]) },
  { type: 'init', bytes: Buffer.concat([FTYP, MOOV]) },
  { type: 'fragment', bytes: Buffer.concat([MOOF, box('mdat')]) },
];

function split(chunks: readonly Buffer[]): BoxStreamItem[] {
  const stream = new BoxStream();
  return chunks.flatMap((chunk) => stream.push(chunk));
}

function refusal(...boxes: readonly Buffer[]): () => void {
  return () => split([Buffer.concat(boxes)]);
}

describe('BoxStream', () => {
  it('splits a stream into inits and fragments and leaves the rest out', () => {
    expect(split([STREAM])).toEqual(EXPECTED);
  });

  it('gives the same output for every cut', () => {
    const cuts = fc.uniqueArray(fc.nat(STREAM.length), { maxLength: 60 });
    fc.assert(
      fc.property(cuts, (places) => {
        const edges = [0, ...places.sort((a, b) => a - b), STREAM.length];
        const chunks = edges.slice(1).map((end, index) => STREAM.subarray(edges[index], end));
        expect(split(chunks)).toEqual(EXPECTED);
      }),
      { numRuns: 300 },
    );
  });

  it('gives the same output for single bytes', () => {
    expect(split([...STREAM].map((byte) => Buffer.from([byte])))).toEqual(EXPECTED);
  });

  it('copies: the caller may reuse the chunk', () => {
    const chunk = Buffer.from(STREAM);
    const items = split([chunk]);
    chunk.fill(0);
    expect(items).toEqual(EXPECTED);
  });

  it('takes a large fragment in small chunks in linear time and without keeping more than twice of it', () => {
    const large = box('mdat', Buffer.alloc(24 * 1024 * 1024));
    const stream = new BoxStream();
    stream.push(Buffer.concat([FTYP, MOOV, MOOF]));
    let items: BoxStreamItem[] = [];
    for (let at = 0; at < large.length; at += 1000) items = stream.push(large.subarray(at, at + 1000));
    expect(items[0]?.bytes.length).toBe(MOOF.length + large.length);
    expect(items[0]?.bytes.buffer.byteLength).toBe(MOOF.length + large.length);
    expect(stream.bufferedBytes).toBe(0);
  });

  it('allocates what came, not what a header promises', () => {
    const stream = new BoxStream();
    stream.push(Buffer.concat([FTYP, MOOV, MOOF, u32(30 * 1024 * 1024), Buffer.from('mdat'), Buffer.alloc(10)]));
    expect(stream.bufferedBytes).toBe(MOOF.length + 18);
  });

  it.each([
    ['an mdat without a moof', [FTYP, MOOV, MDAT]],
    ['a moof before any init', [MOOF, MDAT]],
    ['a moof after a moof', [FTYP, MOOV, MOOF, MOOF]],
    ['an init inside a fragment', [FTYP, MOOV, MOOF, FTYP]],
    ['a box that reaches to the end of the file', [FTYP, MOOV, MOOF, u32(0), Buffer.from('mdat')]],
    ['a box smaller than its header', [u32(7), Buffer.from('ftyp')]],
    ['a wide box smaller than its header', [u32(1), Buffer.from('ftyp'), u32(0, 15)]],
    ['a wide box of 2^63 bytes', [u32(1), Buffer.from('ftyp'), u32(0x80000000, 0)]],
    ['text', [Buffer.from('GET / HTTP/1.1\r\n')]],
    ['a type that is not printable', [u32(8), Buffer.from([0, 1, 2, 3])]],
    ['an FLV file', [Buffer.from('FLV\x01\x05\0\0\0\x09\0\0\0\0')]],
  ])('refuses %s', (_name, boxes) => {
    expect(refusal(...boxes)).toThrow(expect.objectContaining({ code: 'BAD_MEDIA' }));
  });

  it.each([
    ['init', 'moov', BOX_STREAM_LIMITS.maxInitBytes, [FTYP]],
    ['moof', 'moof', BOX_STREAM_LIMITS.maxMoofBytes, [FTYP, MOOV]],
    ['fragment', 'mdat', BOX_STREAM_LIMITS.maxFragmentBytes, [FTYP, MOOV, MOOF]],
    ['skipped box', 'free', BOX_STREAM_LIMITS.maxSkippedBytes, []],
  ] as const)('takes a %s at the limit and refuses one byte more by its header', (_name, type, limit, before) => {
    const pieceBytes = { moov: FTYP.length, mdat: MOOF.length, moof: 0, free: 0 }[type];
    const header = (size: number): Buffer => Buffer.concat([u32(size), Buffer.from(type)]);
    expect(refusal(...before, header(limit - pieceBytes))).not.toThrow();
    expect(refusal(...before, header(limit - pieceBytes + 1))).toThrow(/limit/);
  });
});
