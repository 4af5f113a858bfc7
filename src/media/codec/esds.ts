import { AppError } from '../../util/errors.ts';

const ES = 3;
const DECODER_CONFIG = 4;
const DECODER_SPECIFIC = 5;
const OBJECT_TYPE_MPEG4_AUDIO = 0x40;

/**
 * The AudioSpecificConfig inside the body of an `esds` box, version and flags included (ISO/IEC 14496-1, 7.2.6.5).
 * @throws AppError `BAD_MEDIA` if it is malformed or describes something else than AAC.
 */
export function aacConfigOfEsds(body: Buffer): Buffer {
  const stream = descriptor(body.subarray(4), ES);
  const flags = stream[2] ?? 0;
  const urlBytes = (flags & 0x40) === 0 ? 0 : 1 + (stream[(flags & 0x80) === 0 ? 3 : 5] ?? 0);
  const optionalBytes = ((flags & 0x80) === 0 ? 0 : 2) + urlBytes + ((flags & 0x20) === 0 ? 0 : 2);
  const decoder = descriptor(stream.subarray(3 + optionalBytes), DECODER_CONFIG);
  const objectType = decoder[0];
  if (objectType !== OBJECT_TYPE_MPEG4_AUDIO) {
    throw new AppError(
      'BAD_MEDIA',
      `audio object type ${objectType ?? 'none'} in the esds is not AAC; send AAC or Opus`,
    );
  }
  return descriptor(decoder.subarray(13), DECODER_SPECIFIC);
}

/** Content of the descriptor at the start of `bytes`, which must have this tag. */
function descriptor(bytes: Buffer, tag: number): Buffer {
  let length = 0;
  let at = 1;
  for (let more = true; more && at <= 4; at += 1) {
    const byte = bytes[at] ?? 0;
    length = (length << 7) | (byte & 0x7f);
    more = (byte & 0x80) !== 0;
  }
  if (bytes[0] !== tag || at + length > bytes.length) {
    throw new AppError('BAD_MEDIA', `the esds has no complete descriptor ${tag} where one must be`);
  }
  return bytes.subarray(at, at + length);
}
