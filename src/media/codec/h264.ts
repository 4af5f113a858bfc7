import { AppError } from '../../util/errors.ts';
import { avcCodecString } from '../codec-string.ts';
import { BitReader, unescapeNalUnit } from './bit-reader.ts';
import { checkSize, usableFrameRate, type VideoFormat } from './video-format.ts';

/** Profiles whose SPS has the chroma and scaling fields (ITU-T H.264, 7.3.2.1.1). */
const HIGH_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);
const EXTENDED_SAR = 255;

/**
 * Reads an AVCDecoderConfigurationRecord, the body of `avcC` (ISO/IEC 14496-15, 5.3.3.1).
 * @throws AppError `BAD_MEDIA` if it is malformed or has no parameter sets.
 */
export function readAvcConfig(config: Buffer): VideoFormat {
  if (config.length < 7 || config[0] !== 1) {
    throw new AppError(
      'BAD_MEDIA',
      `an avcC of ${config.length} bytes and version ${config[0] ?? 'none'} is not valid`,
    );
  }
  const { units: sequenceSets, end } = readUnits(config, 6, (config[5] ?? 0) & 0x1f);
  const { units: pictureSets } = readUnits(config, end + 1, config[end] ?? 0);
  const sps = sequenceSets[0];
  if (sps === undefined || pictureSets.length === 0) {
    throw new AppError('BAD_MEDIA', 'the avcC lacks an SPS or a PPS; the encoder must use global headers');
  }
  return { codec: avcCodecString(config), ...readSps(sps) };
}

function readUnits(config: Buffer, start: number, count: number): { units: Buffer[]; end: number } {
  const units: Buffer[] = [];
  let at = start;
  for (let index = 0; index < count; index += 1) {
    const length = at + 2 <= config.length ? config.readUInt16BE(at) : Infinity;
    if (at + 2 + length > config.length) {
      throw new AppError(
        'BAD_MEDIA',
        `parameter set ${index} reaches past the end of the avcC (${config.length} bytes)`,
      );
    }
    units.push(config.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return { units, end: at };
}

function readSps(unit: Buffer): Omit<VideoFormat, 'codec'> {
  const type = (unit[0] ?? 0) & 0x1f;
  if (type !== 7) throw new AppError('BAD_MEDIA', `the avcC's SPS is a NAL unit of type ${type} instead of 7`);
  const reader = new BitReader(unescapeNalUnit(unit.subarray(1)), 'SPS');
  const profile = reader.bits(8);
  reader.skip(16);
  reader.ue();
  const chromaFormat = HIGH_PROFILES.has(profile) ? readChroma(reader) : 1;
  reader.ue();
  skipPictureOrder(reader);
  reader.ue();
  reader.skip(1);
  const widthUnits = reader.ue() + 1;
  const heightUnits = reader.ue() + 1;
  const framesOnly = reader.flag();
  if (!framesOnly) reader.skip(1);
  reader.skip(1);
  const fields = framesOnly ? 1 : 2;
  let width = widthUnits * 16;
  let height = heightUnits * 16 * fields;
  if (reader.flag()) {
    width -= (chromaFormat === 1 || chromaFormat === 2 ? 2 : 1) * (reader.ue() + reader.ue());
    height -= (chromaFormat === 1 ? 2 : 1) * fields * (reader.ue() + reader.ue());
  }
  return { ...checkSize(width, height, 'SPS'), ...readTiming(reader) };
}

/** Returns ChromaArrayType, which decides the unit of cropping. */
function readChroma(reader: BitReader): number {
  const format = reader.ue();
  const separatePlanes = format === 3 && reader.flag();
  reader.ue();
  reader.ue();
  reader.skip(1);
  if (reader.flag()) {
    for (let list = 0; list < (format === 3 ? 12 : 8); list += 1) {
      if (reader.flag()) skipScalingList(reader, list < 6 ? 16 : 64);
    }
  }
  return separatePlanes ? 0 : format;
}

function skipScalingList(reader: BitReader, size: number): void {
  let last = 8;
  for (let index = 0; index < size; index += 1) {
    last = (last + reader.se() + 256) % 256;
    if (last === 0) return;
  }
}

function skipPictureOrder(reader: BitReader): void {
  const type = reader.ue();
  if (type === 0) reader.ue();
  if (type !== 1) return;
  reader.skip(1);
  reader.ue();
  reader.ue();
  for (let left = reader.ue(); left > 0; left -= 1) reader.ue();
}

/** Frame rate of the VUI (ITU-T H.264, annex E). Optional, so a VUI that ends early tells nothing instead of failing. */
function readTiming(reader: BitReader): { frameRate?: number; fixedFrameRate?: boolean } {
  try {
    if (!reader.flag()) return {};
    if (reader.flag() && reader.bits(8) === EXTENDED_SAR) reader.skip(32);
    if (reader.flag()) reader.skip(1);
    if (reader.flag()) {
      reader.skip(4);
      if (reader.flag()) reader.skip(24);
    }
    if (reader.flag()) {
      reader.ue();
      reader.ue();
    }
    if (!reader.flag()) return {};
    const unitsInTick = reader.bits(32);
    const frameRate = usableFrameRate(reader.bits(32) / (2 * unitsInTick));
    return frameRate === undefined ? {} : { frameRate, fixedFrameRate: reader.flag() };
  } catch {
    return {};
  }
}
