import { buildAudioInit } from '../../media/cmaf/init-writer.ts';
import type { TrackInit } from '../../media/fragment.ts';
import { AppError } from '../../util/errors.ts';

/** What stands before the sound of a packed audio segment (RFC 8216, 3.4). */
const OWNER = Buffer.from('com.apple.streaming.transportStreamTimestamp\0', 'latin1');
/** A cover picture may be in it. */
const MAX_TAG_BYTES = 2 * 1024 * 1024;
const TAG_HEADER_BYTES = 10;
const ADTS_HEADER_BYTES = 7;

/** What a packed audio segment holds: the time that it tells, in ticks of 90 kHz, or a frame. */
type AdtsItem = { readonly startTicks: number } | { readonly init: TrackInit; readonly data: Buffer };

/** Reads AAC frames with ADTS headers, and ID3 tags before and between them, from a stream cut anywhere. */
export class AdtsStream {
  #rest: Buffer = Buffer.alloc(0);
  #setup = -1;
  #init: TrackInit | undefined;

  /** What the next bytes complete. @throws AppError `BAD_MEDIA` if they are something else */
  push(piece: Buffer): AdtsItem[] {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const items: AdtsItem[] = [];
    let at = 0;
    for (let length = lengthAt(bytes, at); length > 0 && at + length <= bytes.length; length = lengthAt(bytes, at)) {
      const unit = bytes.subarray(at, at + length);
      if (isTag(unit)) {
        const startTicks = timeOf(unit);
        if (startTicks !== undefined) items.push({ startTicks });
      } else items.push(this.#frame(unit));
      at += length;
    }
    this.#rest = bytes.subarray(at);
    return items;
  }

  /** Forgets what is not complete. */
  reset(): void {
    this.#rest = Buffer.alloc(0);
  }

  #frame(unit: Buffer): AdtsItem {
    // Profile, sample rate and channels.
    const setup = unit.readUInt16BE(2) & 0xfdc0;
    if (this.#init === undefined || setup !== this.#setup) {
      this.#init = buildAudioInit({ codec: 'aac', config: configOf(unit) });
      this.#setup = setup;
    }
    const headerBytes = ((unit[1] ?? 0) & 1) === 1 ? ADTS_HEADER_BYTES : ADTS_HEADER_BYTES + 2;
    return { init: this.#init, data: Buffer.from(unit.subarray(headerBytes)) };
  }
}

/** True if these bytes begin a segment that an `AdtsStream` reads. */
export function isPackedAac(bytes: Buffer): boolean {
  return isTag(bytes) || (bytes.length >= 2 && (bytes.readUInt16BE(0) & 0xfff6) === 0xfff0);
}

function isTag(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 3) === 'ID3';
}

/** Bytes of the unit that begins here; 0 if that is not known yet. */
function lengthAt(bytes: Buffer, at: number): number {
  const unit = bytes.subarray(at, at + TAG_HEADER_BYTES);
  if (unit.length < TAG_HEADER_BYTES) return 0;
  if (isTag(unit)) {
    const size = [6, 7, 8, 9].reduce((sum, index) => sum * 128 + ((unit[index] ?? 0) & 0x7f), 0);
    if (size > MAX_TAG_BYTES) throw new AppError('BAD_MEDIA', `an ID3 tag of ${size} bytes is over the limit`);
    return TAG_HEADER_BYTES + size;
  }
  const length = (unit.readUIntBE(3, 3) >> 5) & 0x1fff;
  if (!isPackedAac(unit) || length <= ADTS_HEADER_BYTES) {
    throw new AppError('BAD_MEDIA', 'a segment of sound is not AAC with ADTS headers; use mode "relay"');
  }
  return length;
}

/** AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) of what an ADTS header tells. */
function configOf(unit: Buffer): Buffer {
  const objectType = ((unit[2] ?? 0) >> 6) + 1;
  const rate = ((unit[2] ?? 0) >> 2) & 0xf;
  const channels = (((unit[2] ?? 0) & 1) << 2) | ((unit[3] ?? 0) >> 6);
  const config = Buffer.alloc(2);
  config.writeUInt16BE((objectType << 11) | (rate << 7) | (channels << 3));
  return config;
}

function timeOf(tag: Buffer): number | undefined {
  const at = tag.indexOf(OWNER);
  const valueAt = at + OWNER.length;
  if (at < 0 || valueAt + 8 > tag.length) return undefined;
  return Number(tag.readBigUInt64BE(valueAt) & 0x1ffffffffn);
}
