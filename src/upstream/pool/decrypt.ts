import { createDecipheriv } from 'node:crypto';
import { AppError } from '../../util/errors.ts';

const BLOCK_BYTES = 16;

/** The initialization vector of a segment whose key names none: its number in the playlist (RFC 8216, 5.2). */
export function sequenceIv(mediaSequence: number): Buffer {
  const iv = Buffer.alloc(BLOCK_BYTES);
  iv.writeBigUInt64BE(BigInt(mediaSequence), BLOCK_BYTES / 2);
  return iv;
}

/**
 * Decrypts what is encrypted with AES-128-CBC and PKCS7 (RFC 8216, 4.3.2.4) piece by piece.
 * @param key 16 bytes
 * @param iv 16 bytes
 * @throws AppError `BAD_MEDIA` if what comes out is no media, or ends in the wrong place: the key or the vector is another,
 *   or some of it is missing; whatever `pieces` throws
 */
export async function* decryptPieces(
  pieces: AsyncIterable<Buffer>,
  { key, iv }: { key: Buffer; iv: Buffer },
): AsyncGenerator<Buffer> {
  const decipher = createDecipheriv('aes-128-cbc', key, iv);
  let isChecked = false;
  const checked = (plain: Buffer): Buffer => {
    // A wrong vector spoils these bytes alone, without any error.
    if (!isChecked && plain.length > 0 && !looksLikeMedia(plain)) throw wrong('what comes out is no media');
    isChecked ||= plain.length > 0;
    return plain;
  };
  for await (const piece of pieces) {
    const plain = checked(decipher.update(piece));
    if (plain.length > 0) yield plain;
  }
  let rest: Buffer;
  try {
    rest = decipher.final();
  } catch (error) {
    throw wrong('it is cut, or the key is another', error);
  }
  if (rest.length > 0) yield checked(rest);
}

/** MPEG-TS, boxes of ISO BMFF, ID3 or ADTS or MPEG audio, WebVTT. */
function looksLikeMedia(bytes: Buffer): boolean {
  const [first, second = 0] = bytes;
  if (first === 0x47 || (first === 0xff && (second & 0xe0) === 0xe0)) return true;
  const start = bytes.toString('latin1', 0, 12);
  return (
    /^(ID3|\u00ef\u00bb\u00bfWEBVTT|WEBVTT)/.test(start) ||
    /^(ftyp|styp|moov|moof|sidx|emsg|prft|mdat|free|skip)/.test(start.slice(4))
  );
}

function wrong(reason: string, cause?: unknown): AppError {
  return new AppError('BAD_MEDIA', `a segment cannot be decrypted: ${reason}`, { cause });
}
