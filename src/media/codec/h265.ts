import { AppError } from '../../util/errors.ts';
import { hevcCodecString } from '../codec-string.ts';
import { BitReader, unescapeNalUnit } from './bit-reader.ts';
import { checkSize, type VideoFormat } from './video-format.ts';

const SPS_TYPE = 33;
const HEADER_BYTES = 23;

/**
 * Reads an HEVCDecoderConfigurationRecord, the body of `hvcC` (ISO/IEC 14496-15, 8.3.3.1).
 * @throws AppError `BAD_MEDIA` if it is malformed or has no SPS.
 */
export function readHevcConfig(config: Buffer): VideoFormat {
  // Version 0 was written by early encoders; the layout is the same.
  if (config.length < HEADER_BYTES || (config[0] ?? 2) > 1) {
    throw new AppError(
      'BAD_MEDIA',
      `an hvcC of ${config.length} bytes and version ${config[0] ?? 'none'} is not valid`,
    );
  }
  const sps = findSps(config);
  if (sps === undefined) throw new AppError('BAD_MEDIA', 'the hvcC has no SPS; the encoder must use global headers');
  return { codec: hevcCodecString(config), ...readSps(sps) };
}

function findSps(config: Buffer): Buffer | undefined {
  let sps: Buffer | undefined;
  let at = HEADER_BYTES;
  for (let arrays = config[22] ?? 0; arrays > 0; arrays -= 1) {
    need(config, at + 3);
    const type = (config[at] ?? 0) & 0x3f;
    let units = config.readUInt16BE(at + 1);
    at += 3;
    for (; units > 0; units -= 1) {
      need(config, at + 2);
      const end = at + 2 + config.readUInt16BE(at);
      need(config, end);
      if (type === SPS_TYPE) sps ??= config.subarray(at + 2, end);
      at = end;
    }
  }
  return sps;
}

function need(config: Buffer, end: number): void {
  if (end > config.length) {
    throw new AppError('BAD_MEDIA', `a parameter set reaches past the end of the hvcC (${config.length} bytes)`);
  }
}

/** Size from the SPS (ITU-T H.265, 7.3.2.2). */
function readSps(unit: Buffer): { width: number; height: number } {
  const reader = new BitReader(unescapeNalUnit(unit.subarray(2)), 'SPS');
  reader.skip(4);
  const subLayers = reader.bits(3);
  reader.skip(1);
  skipProfileTierLevel(reader, subLayers);
  reader.ue();
  const format = reader.ue();
  const chromaArrayType = format === 3 && reader.flag() ? 0 : format;
  let width = reader.ue();
  let height = reader.ue();
  if (reader.flag()) {
    width -= (chromaArrayType === 1 || chromaArrayType === 2 ? 2 : 1) * (reader.ue() + reader.ue());
    height -= (chromaArrayType === 1 ? 2 : 1) * (reader.ue() + reader.ue());
  }
  return checkSize(width, height, 'SPS');
}

function skipProfileTierLevel(reader: BitReader, subLayers: number): void {
  reader.skip(96);
  if (subLayers === 0) return;
  let bits = 0;
  for (let layer = 0; layer < 8; layer += 1) {
    const hasProfile = reader.flag();
    const hasLevel = reader.flag();
    if (layer < subLayers) bits += (hasProfile ? 88 : 0) + (hasLevel ? 8 : 0);
  }
  reader.skip(bits);
}
