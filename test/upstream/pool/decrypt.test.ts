import { createCipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decryptPieces, sequenceIv } from '../../../src/upstream/pool/decrypt.ts';

const cipher = { key: randomBytes(16), iv: randomBytes(16) };

function encrypted(plain: Buffer): Buffer {
  const encipher = createCipheriv('aes-128-cbc', cipher.key, cipher.iv);
  return Buffer.concat([encipher.update(plain), encipher.final()]);
}

function transportStream(bytes: number): Buffer {
  return Buffer.concat([Buffer.from([0x47, 0x40]), randomBytes(bytes - 2)]);
}

async function decrypted(bytes: Buffer, pieceBytes = 1_000, with_ = cipher): Promise<Buffer> {
  const pieces: Buffer[] = [];
  // eslint-disable-next-line @typescript-eslint/require-await -- an iterable of what is there
  async function* source(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
  for await (const piece of decryptPieces(source(), with_)) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('decryption', () => {
  it('gives back any media, however it is cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 188, max: 5_000 }),
        fc.integer({ min: 1, max: 6_000 }),
        async (size, piece) => {
          const media = transportStream(size);
          expect((await decrypted(encrypted(media), piece)).equals(media)).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each([
    ['a transport stream', Buffer.from([0x47, 0x40, 0, 0x10])],
    ['a fragment', Buffer.from('\0\0\0\x18stypmsdh')],
    ['ADTS audio', Buffer.from([0xff, 0xf1, 0x50, 0x80])],
    ['audio with ID3', Buffer.from('ID3\x04\0')],
    ['subtitles', Buffer.from('WEBVTT\n\n')],
    ['subtitles with a byte order mark', Buffer.from('\ufeffWEBVTT\n')],
  ])('knows %s', async (_what, start) => {
    const media = Buffer.concat([start, randomBytes(100)]);
    expect((await decrypted(encrypted(media))).equals(media)).toBe(true);
  });

  it('says so when the key is another', async () => {
    const other = { ...cipher, key: Buffer.from(cipher.key).fill(1, 0, 4) };
    await expect(decrypted(encrypted(transportStream(1_000)), 1_000, other)).rejects.toMatchObject({
      code: 'BAD_MEDIA',
    });
  });

  it('says so when the vector is another, although that spoils 16 bytes only', async () => {
    const iv = Buffer.from(cipher.iv);
    iv[0] = (iv[0] ?? 0) ^ 0xff;
    await expect(decrypted(encrypted(transportStream(1_000)), 1_000, { ...cipher, iv })).rejects.toThrow(/no media/);
  });

  it('says so when some of it is missing', async () => {
    const bytes = encrypted(transportStream(1_000));
    await expect(decrypted(bytes.subarray(0, 501))).rejects.toThrow(/it is cut/);
    await expect(decrypted(Buffer.alloc(0))).rejects.toThrow(/it is cut/);
  });

  it('takes the number of a segment for a vector', () => {
    expect(sequenceIv(0).toString('hex')).toBe('0'.repeat(32));
    expect(sequenceIv(0x12345).toString('hex')).toBe('00000000000000000000000000012345');
    expect(sequenceIv(2 ** 53 - 1).toString('hex')).toBe('0000000000000000001fffffffffffff');
  });
});
