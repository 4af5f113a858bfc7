import { AppError } from '../../util/errors.ts';
import { BitReader } from './bit-reader.ts';

const SAMPLE_RATES = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];
const ESCAPED_RATE = 15;
const MAX_SAMPLE_RATE = 192_000;
/** Channels of each channelConfiguration; 0 is told by a program config element, for which stereo stands in. */
const CHANNELS = [2, 1, 2, 3, 4, 5, 6, 8, undefined, undefined, undefined, 7, 8, undefined, 8];
const LOW_COMPLEXITY = 2;
const SBR = 5;
const PARAMETRIC_STEREO = 29;

/** What an AAC decoder configuration tells. */
export interface AudioFormat {
  /** RFC 6381 codec string. */
  readonly codec: string;
  /** Hz, of the decoder's output. */
  readonly sampleRate: number;
  readonly channels: number;
}

/**
 * Reads an AudioSpecificConfig of any length (ISO/IEC 14496-3, 1.6.2.1).
 * @throws AppError `BAD_MEDIA` if it is malformed.
 */
export function readAacConfig(config: Buffer): AudioFormat {
  const reader = new BitReader(config, 'AudioSpecificConfig');
  const objectType = readObjectType(reader);
  let sampleRate = readSampleRate(reader);
  const channelConfiguration = reader.bits(4);
  let channels = CHANNELS[channelConfiguration];
  if (objectType === 0 || channels === undefined) {
    throw new AppError(
      'BAD_MEDIA',
      `AAC object type ${objectType} with channel configuration ${channelConfiguration} is not supported; send AAC-LC`,
    );
  }
  if (objectType === SBR || objectType === PARAMETRIC_STEREO) sampleRate = readSampleRate(reader);
  if (objectType === PARAMETRIC_STEREO) channels = 2;
  return { codec: `mp4a.40.${objectType}`, sampleRate, channels };
}

/** The AudioSpecificConfig of AAC-LC. @throws AppError `BAD_MEDIA` for a rate or a number of channels that it has no number for. */
export function lowComplexityConfig(sampleRate: number, channels: number): Buffer {
  const rate = SAMPLE_RATES.indexOf(sampleRate);
  const configuration = CHANNELS.indexOf(channels, 1);
  if (rate === -1 || configuration === -1) {
    throw new AppError('BAD_MEDIA', `AAC-LC of ${sampleRate} Hz and ${channels} channels has no short configuration`);
  }
  const config = Buffer.alloc(2);
  config.writeUInt16BE((LOW_COMPLEXITY << 11) | (rate << 7) | (configuration << 3));
  return config;
}

function readObjectType(reader: BitReader): number {
  const type = reader.bits(5);
  return type === 31 ? 32 + reader.bits(6) : type;
}

function readSampleRate(reader: BitReader): number {
  const index = reader.bits(4);
  const rate = index === ESCAPED_RATE ? reader.bits(24) : SAMPLE_RATES[index];
  if (rate === undefined || rate < 1 || rate > MAX_SAMPLE_RATE) {
    throw new AppError('BAD_MEDIA', `the AudioSpecificConfig has the unusable sample rate ${rate ?? `index ${index}`}`);
  }
  return rate;
}
