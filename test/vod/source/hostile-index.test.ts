import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { box, u32 } from '../../../src/media/cmaf/box-writer.ts';
import { readMatroskaIndex } from '../../../src/vod/source/matroska-index.ts';
import { readMp4Index } from '../../../src/vod/source/mp4-index.ts';
import { AppError } from '../../../src/util/errors.ts';
import { bytesIn, film, H264, PICTURE } from '../../support/films.ts';

let folder: string;
let mp4: Buffer;
let mkv: Buffer;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-hostile-'));
  mp4 = await readFile(await film(folder, ...PICTURE, '-t', '5', ...H264, '-movflags', 'faststart', 'film.mp4'));
  mkv = await readFile(await film(folder, '-i', 'film.mp4', '-c', 'copy', '-cues_to_front', '1', 'film.mkv'));
});

afterAll(() => rm(folder, { recursive: true }));

/** Reads an index; whatever the bytes are, that ends with an index, with nothing, or with an AppError. */
async function survives(read: () => Promise<unknown>): Promise<void> {
  try {
    await read();
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    expect((error as AppError).code).toBe('BAD_MEDIA');
  }
}

/** Copies of bytes with some of the first ones changed. */
function damaged(bytes: () => Buffer, headBytes: number): fc.Arbitrary<Buffer> {
  const change = fc.record({ at: fc.nat({ max: headBytes - 1 }), value: fc.constantFrom(0, 1, 0x7f, 0x80, 0xff) });
  return fc.array(change, { minLength: 1, maxLength: 12 }).map((changes) => {
    const copy = Buffer.from(bytes());
    for (const { at, value } of changes) if (at < copy.length) copy[at] = value;
    return copy;
  });
}

/** The film with a number in its tables replaced. */
function withNumber(type: string, offset: number, value: number): Buffer {
  const copy = Buffer.from(mp4);
  copy.writeUInt32BE(value, copy.indexOf(type) + 4 + offset);
  return copy;
}

const refused = (bytes: Buffer): Promise<unknown> =>
  expect(readMp4Index(bytesIn(bytes), 1)).rejects.toMatchObject({ code: 'BAD_MEDIA' });

describe('a hostile MP4', () => {
  it('is read, or refused, whatever its movie box holds', async () => {
    const run = (bytes: Buffer): Promise<void> => survives(() => readMp4Index(bytesIn(bytes), 1));
    await fc.assert(
      fc.asyncProperty(
        damaged(() => mp4, 2_800),
        run,
      ),
      { numRuns: 1_500 },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
        run,
      ),
    );
  });

  it('may not claim more samples than the limit, nor more rows than there are', async () => {
    await refused(withNumber('stsz', 8, 20_000_001));
    await refused(withNumber('stsz', 8, 1_000_000));
    for (const table of ['stts', 'ctts', 'stss']) await refused(withNumber(table, 4, 0xffffffff));
    await refused(withNumber('mdhd', 12, 0));
  });

  it('is bounded in time and memory when it claims 20 million samples of one size', async () => {
    const constant = withNumber('stsz', 4, 1);
    constant.write('free', constant.indexOf('edts'), 'latin1');
    constant.writeUInt32BE(20_000_000, constant.indexOf('stsz') + 12);
    const index = await readMp4Index(bytesIn(constant), 1);
    expect(index).toMatchObject({ frames: undefined, keyframes: { length: 3 } });
  }, 20_000);

  it('may not have a movie box of more than 64 MiB, boxes without end, or none', async () => {
    const claimed = {
      ...bytesIn(Buffer.concat([u32(65 * 1024 * 1024, 0x6d6f6f76), Buffer.alloc(8)])),
      sizeBytes: 2 ** 31,
    };
    await expect(readMp4Index(claimed, 1)).rejects.toThrow(/moov of 68157440 bytes/);
    await refused(Buffer.concat([box('ftyp'), u32(0, 0), u32(7, 0)]).fill(7, 11, 12));
    expect(await readMp4Index(bytesIn(Buffer.concat(Array.from({ length: 5_000 }, () => box('free')))), 1)).toBe(
      undefined,
    );
    expect(await readMp4Index(bytesIn(Buffer.alloc(0)), 1)).toBeUndefined();
  });
});

describe('a hostile Matroska file', () => {
  it('is read, or refused, whatever its index holds', async () => {
    const run = (bytes: Buffer): Promise<void> => survives(() => readMatroskaIndex(bytesIn(bytes), 0));
    await fc.assert(
      fc.asyncProperty(
        damaged(() => mkv, 1_200),
        run,
      ),
      { numRuns: 1_500 },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
        run,
      ),
    );
  });

  it('may not have an index of more than 32 MiB', async () => {
    const copy = Buffer.from(
      '1a45dfa380' + '1853806701ffffffffffffff' + '1c53bb6b0100000003000000' + '00'.repeat(12),
      'hex',
    );
    const claimed = { ...bytesIn(copy), sizeBytes: 2 ** 31 };
    await expect(readMatroskaIndex(claimed, 0)).rejects.toThrow(/over the limit/);
  });

  it('is refused if it is encrypted', async () => {
    const entry = mkv.indexOf(Buffer.from([0x63, 0xa2]));
    const copy = Buffer.from(mkv);
    // ContentEncodings { ContentEncoding { ContentEncryption {} } } in place of the decoder's configuration.
    const configBytes = (copy[entry + 2] ?? 0) & 0x7f;
    const encodings = Buffer.from([0x6d, 0x80, 0x86, 0x62, 0x40, 0x83, 0x50, 0x35, 0x80]);
    const rest = 3 + configBytes - encodings.length;
    Buffer.concat([encodings, Buffer.from([0xec, 0x80 | (rest - 2)])]).copy(copy, entry);
    await expect(readMatroskaIndex(bytesIn(copy), 0)).rejects.toThrow(/encrypted/);
  });
});
