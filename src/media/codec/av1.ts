import { AppError } from '../../util/errors.ts';
import { av1CodecString } from '../codec-string.ts';
import { BitReader } from './bit-reader.ts';
import { checkSize, usableFrameRate, type VideoFormat } from './video-format.ts';

const SEQUENCE_HEADER_OBU = 1;

/**
 * Reads an AV1CodecConfigurationRecord, the body of `av1C` (AV1-ISOBMFF, 2.3.3). Its sequence header is optional: without
 * it there is no size.
 * @throws AppError `BAD_MEDIA` if it is malformed.
 */
export function readAv1Config(config: Buffer): VideoFormat {
  if (config.length < 4 || config[0] !== 0x81) {
    throw new AppError(
      'BAD_MEDIA',
      `an av1C of ${config.length} bytes that starts with ${config[0] ?? 'nothing'} is not valid`,
    );
  }
  const codec = av1CodecString(config);
  const header = findSequenceHeader(config.subarray(4));
  return header === undefined ? { codec } : { codec, ...readSequenceHeader(header) };
}

function findSequenceHeader(units: Buffer): Buffer | undefined {
  let at = 0;
  while (at < units.length) {
    const reader = new BitReader(units.subarray(at), 'av1C');
    reader.skip(1);
    const type = reader.bits(4);
    const hasExtension = reader.flag();
    const hasSize = reader.flag();
    reader.skip(hasExtension ? 9 : 1);
    const size = hasSize ? readLeb128(reader) : reader.remaining / 8;
    if (size * 8 > reader.remaining) {
      throw new AppError('BAD_MEDIA', `an OBU of ${size} bytes reaches past the end of the av1C`);
    }
    const start = units.length - reader.remaining / 8;
    if (type === SEQUENCE_HEADER_OBU) return units.subarray(start, start + size);
    at = start + size;
  }
  return undefined;
}

function readLeb128(reader: BitReader): number {
  let value = 0;
  for (let index = 0; index < 8; index += 1) {
    const more = reader.flag();
    value += reader.bits(7) * 2 ** (7 * index);
    if (!more) return value;
  }
  throw new AppError('BAD_MEDIA', 'an OBU size of the av1C is longer than 8 bytes');
}

/** Size and frame rate from the sequence header (AV1, 5.5.1). */
function readSequenceHeader(header: Buffer): Omit<VideoFormat, 'codec'> {
  const reader = new BitReader(header, 'AV1 sequence header');
  reader.skip(4);
  const reduced = reader.flag();
  const timing = reduced ? {} : readOperatingPoints(reader);
  if (reduced) reader.skip(5);
  const widthBits = reader.bits(4) + 1;
  const heightBits = reader.bits(4) + 1;
  const width = reader.bits(widthBits) + 1;
  const height = reader.bits(heightBits) + 1;
  return { ...checkSize(width, height, 'AV1 sequence header'), ...timing };
}

function readOperatingPoints(reader: BitReader): { frameRate?: number; fixedFrameRate?: boolean } {
  let delayBits: number | undefined;
  let timing = {};
  if (reader.flag()) {
    const unitsInTick = reader.bits(32);
    const timeScale = reader.bits(32);
    const fixedFrameRate = reader.flag();
    const ticksPerPicture = fixedFrameRate ? reader.ue() + 1 : 1;
    const frameRate = usableFrameRate(timeScale / (unitsInTick * ticksPerPicture));
    if (frameRate !== undefined) timing = { frameRate, fixedFrameRate };
    if (reader.flag()) {
      delayBits = reader.bits(5) + 1;
      reader.skip(42);
    }
  }
  const hasInitialDelay = reader.flag();
  for (let points = reader.bits(5) + 1; points > 0; points -= 1) {
    reader.skip(12);
    if (reader.bits(5) > 7) reader.skip(1);
    if (delayBits !== undefined && reader.flag()) reader.skip(2 * delayBits + 1);
    if (hasInitialDelay && reader.flag()) reader.skip(4);
  }
  return timing;
}
