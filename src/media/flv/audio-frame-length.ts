import { AppError } from '../../util/errors.ts';

const AAC_RATES = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350];
/** Frame lengths in 48 kHz samples of the 32 configurations of a TOC byte (RFC 6716, 3.1). */
const OPUS_SAMPLES = [
  ...[480, 960, 1920, 2880, 480, 960, 1920, 2880, 480, 960, 1920, 2880],
  ...[480, 960, 480, 960],
  ...[120, 240, 480, 960, 120, 240, 480, 960, 120, 240, 480, 960, 120, 240, 480, 960],
];

/**
 * Seconds that each AAC frame lasts, from the AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1): 1024 samples of the core
 * codec's rate, or 960. With SBR the core runs at half the output rate.
 *
 * @throws AppError `BAD_MEDIA` if the config is too short or names a reserved rate.
 */
export function aacFrameSeconds(config: Buffer): number {
  const bits = new BitReader(config);
  const objectType = readObjectType(bits);
  const rate = readRate(bits);
  bits.take(4);
  if (objectType === 5 || objectType === 29) {
    readRate(bits);
    readObjectType(bits);
  }
  return (bits.take(1) === 1 ? 960 : 1024) / rate;
}

/**
 * Samples at 48 kHz that an Opus packet lasts (RFC 6716, 3.2).
 *
 * @throws AppError `BAD_MEDIA` for a packet without a frame count or longer than 120 ms.
 */
export function opusPacketSamples(packet: Buffer): number {
  const toc = packet[0];
  if (toc === undefined) throw new AppError('BAD_MEDIA', 'an Opus packet has no TOC byte');
  const frameSamples = OPUS_SAMPLES[toc >> 3] ?? 0;
  const code = toc & 0x03;
  const frames = code === 0 ? 1 : code < 3 ? 2 : (packet[1] ?? 0) & 0x3f;
  const samples = frames * frameSamples;
  if (samples === 0 || samples > 5760) throw new AppError('BAD_MEDIA', `an Opus packet lasts ${samples} samples`);
  return samples;
}

class BitReader {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i += 1) {
      const byte = this.#bytes[this.#position >> 3];
      if (byte === undefined)
        throw new AppError('BAD_MEDIA', `the AudioSpecificConfig ends after ${this.#bytes.length} bytes`);
      value = value * 2 + ((byte >> (7 - (this.#position & 7))) & 1);
      this.#position += 1;
    }
    return value;
  }
}

function readObjectType(bits: BitReader): number {
  const type = bits.take(5);
  return type === 31 ? 32 + bits.take(6) : type;
}

function readRate(bits: BitReader): number {
  const index = bits.take(4);
  const rate = index === 15 ? bits.take(24) : AAC_RATES[index];
  if (rate === undefined || rate === 0)
    throw new AppError('BAD_MEDIA', `AudioSpecificConfig with sampling index ${index}`);
  return rate;
}
