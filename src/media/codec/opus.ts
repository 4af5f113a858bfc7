import { AppError } from '../../util/errors.ts';
import type { AudioFormat } from './aac.ts';

const OGG_MAGIC = Buffer.from('OpusHead', 'latin1');
/** Opus always decodes to 48 kHz, whatever the input rate was (RFC 7845, 5.1). */
const OPUS_RATE = 48_000;

/**
 * The body of a `dOps` box (Opus in ISOBMFF, 4.3.2), given that or an `OpusHead` packet (RFC 7845, 5.1), which says the
 * same in little-endian.
 * @throws AppError `BAD_MEDIA` if it is malformed.
 */
export function dopsBody(config: Buffer): Buffer {
  if (!config.subarray(0, OGG_MAGIC.length).equals(OGG_MAGIC)) return checked(config);
  const head = Buffer.from(config.subarray(OGG_MAGIC.length));
  if (head.length < 11) throw new AppError('BAD_MEDIA', `an OpusHead of ${config.length} bytes is too short`);
  head[0] = 0;
  head.subarray(2, 4).swap16();
  head.subarray(4, 8).swap32();
  head.subarray(8, 10).swap16();
  return checked(head);
}

function checked(body: Buffer): Buffer {
  const [version, channels = 0] = body;
  const family = body[10] ?? 0;
  const expected = family === 0 ? 11 : 13 + channels;
  if (body.length < expected || version !== 0 || channels === 0 || (family === 0 && channels > 2)) {
    throw new AppError(
      'BAD_MEDIA',
      `an Opus configuration of ${body.length} bytes, ${channels} channels and mapping family ${family} is not valid`,
    );
  }
  return body.subarray(0, expected);
}

/** @param body of `dOps`, as `dopsBody` returns it. */
export function readOpusConfig(body: Buffer): AudioFormat {
  return { codec: 'opus', sampleRate: OPUS_RATE, channels: body[1] ?? 2 };
}
