import { AppError } from '../../util/errors.ts';
import { type Box, children, readBoxes } from './boxes.ts';
import type { InitTrack } from './init.ts';

/** One frame. Times are in units of the track's timescale; `data` is a view into the file. */
export interface Sample {
  readonly decodeTime: number;
  readonly presentationTime: number;
  readonly duration: number;
  readonly isSync: boolean;
  readonly data: Buffer;
}

/** Far more than a segment has; guards against counts that cost no bytes. */
const MAX_SAMPLES = 100_000;
const NON_SYNC = 0x10000;

/**
 * Reads the samples of one track from a segment, a part or any run of fragments.
 * @throws AppError `BAD_MEDIA` for what is no fragment, or one whose samples are not in it.
 */
export function readSamples(data: Buffer, track: InitTrack): Sample[] {
  const samples: Sample[] = [];
  try {
    const moofs = readBoxes(data).filter(({ type }) => type === 'moof');
    if (moofs.length === 0) throw new AppError('BAD_MEDIA', 'there is no moof box');
    for (const moof of moofs) {
      for (const traf of children(data, moof).filter(({ type }) => type === 'traf')) {
        readTrackFragment(data, moof, traf, track, samples);
      }
    }
  } catch (error) {
    if (error instanceof RangeError) throw new AppError('BAD_MEDIA', 'a box is shorter than its fields');
    throw error;
  }
  return samples;
}

function readTrackFragment(data: Buffer, moof: Box, traf: Box, track: InitTrack, samples: Sample[]): void {
  const boxes = children(data, traf);
  const tfhd = boxes.find(({ type }) => type === 'tfhd');
  if (tfhd === undefined || data.readUInt32BE(tfhd.body + 4) !== track.id) return;
  const header = readFragmentHeader(data, tfhd, moof, track);
  const tfdt = boxes.find(({ type }) => type === 'tfdt');
  if (tfdt === undefined) throw new AppError('BAD_MEDIA', 'a fragment has no tfdt box');
  const isLong = data[tfdt.body] === 1;
  let decodeTime = isLong ? Number(data.readBigUInt64BE(tfdt.body + 4)) : data.readUInt32BE(tfdt.body + 4);
  let offset = header.base;
  for (const trun of boxes.filter(({ type }) => type === 'trun')) {
    const flags = data.readUInt32BE(trun.body) & 0xffffff;
    const count = data.readUInt32BE(trun.body + 4);
    if (samples.length + count > MAX_SAMPLES) throw new AppError('BAD_MEDIA', `a fragment has ${count} samples`);
    let at = trun.body + 8;
    const next = (present: boolean): number | undefined => (present ? data.readUInt32BE((at += 4) - 4) : undefined);
    const dataOffset = next((flags & 0x1) !== 0);
    if (dataOffset !== undefined) offset = header.base + (dataOffset | 0);
    const firstFlags = next((flags & 0x4) !== 0);
    for (let index = 0; index < count; index += 1) {
      const duration = next((flags & 0x100) !== 0) ?? header.duration;
      const size = next((flags & 0x200) !== 0) ?? header.size;
      const own = next((flags & 0x400) !== 0);
      const sampleFlags = own ?? (index === 0 ? firstFlags : undefined) ?? header.flags;
      const shift = (next((flags & 0x800) !== 0) ?? 0) | 0;
      if (offset < 0 || offset + size > data.length) throw new AppError('BAD_MEDIA', 'a sample is not in its file');
      samples.push({
        decodeTime,
        presentationTime: decodeTime + shift - track.mediaTime,
        duration,
        isSync: (sampleFlags & NON_SYNC) === 0,
        data: data.subarray(offset, offset + size),
      });
      decodeTime += duration;
      offset += size;
    }
  }
}

function readFragmentHeader(data: Buffer, tfhd: Box, moof: Box, { defaults }: InitTrack) {
  const flags = data.readUInt32BE(tfhd.body) & 0xffffff;
  let at = tfhd.body + 8;
  const skip = (bytes: number, present: boolean): number | undefined => {
    if (!present) return undefined;
    at += bytes;
    return at - bytes;
  };
  const baseAt = skip(8, (flags & 0x1) !== 0);
  skip(4, (flags & 0x2) !== 0);
  const word = (present: boolean): number | undefined => {
    const position = skip(4, present);
    return position === undefined ? undefined : data.readUInt32BE(position);
  };
  return {
    base: baseAt === undefined ? moof.start : Number(data.readBigUInt64BE(baseAt)),
    duration: word((flags & 0x8) !== 0) ?? defaults.duration,
    size: word((flags & 0x10) !== 0) ?? defaults.size,
    flags: word((flags & 0x20) !== 0) ?? defaults.flags,
  };
}
