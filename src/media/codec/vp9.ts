import { AppError } from '../../util/errors.ts';
import { vp9CodecString } from '../codec-string.ts';
import type { VideoFormat } from './video-format.ts';

const FULL_BOX_HEADER = Buffer.from([1, 0, 0, 0]);
const RECORD_BYTES = 8;

/** The body of a `vpcC` box, given that or the bare VPCodecConfigurationRecord that RTMP publishers send. */
export function vpccBody(config: Buffer): Buffer {
  const hasHeader = config.length >= RECORD_BYTES + 4 && config.subarray(0, 4).equals(FULL_BOX_HEADER);
  return hasHeader ? config : Buffer.concat([FULL_BOX_HEADER, config]);
}

/**
 * Reads the body of `vpcC` (VP Codec ISO Media File Format Binding). It tells no size.
 * @throws AppError `BAD_MEDIA` if it is malformed.
 */
export function readVp9Config(config: Buffer): VideoFormat {
  const record = vpccBody(config).subarray(4);
  if (record.length < RECORD_BYTES || (record[0] ?? 4) > 3) {
    throw new AppError(
      'BAD_MEDIA',
      `a vpcC of ${config.length} bytes with profile ${record[0] ?? 'none'} is not valid`,
    );
  }
  return { codec: vp9CodecString(record) };
}
