import { AppError } from '../../util/errors.ts';
import { type BoxView, FieldReader, onlyBox, readBoxes } from './box-reader.ts';

/** Values of a track's `trex`, used where a fragment does not give its own. */
export interface TrackDefaults {
  /** Ticks. */
  readonly duration: number;
  /** Bytes. */
  readonly size: number;
  /** Sample flags (ISO/IEC 14496-12, 8.8.3.1). */
  readonly flags: number;
}

/** One sample of a fragment that was read. Times in the track's own timescale; `data` is a view. */
export interface ReadSample {
  readonly dts: number;
  readonly pts: number;
  readonly duration: number;
  readonly sync: boolean;
  readonly data: Buffer;
}

/** All samples that one fragment holds of one track, in decode order. */
interface TrackSamples {
  readonly trackId: number;
  readonly samples: readonly ReadSample[];
}

/** Most samples of one fragment, all tracks together. */
export const MAX_SAMPLES = 10_000;
const NON_SYNC = 0x010000;

const TFHD_BASE_DATA_OFFSET = 0x000001;
const TFHD_DESCRIPTION = 0x000002;
const TFHD_DURATION = 0x000008;
const TFHD_SIZE = 0x000010;
const TFHD_FLAGS = 0x000020;
const TFHD_DEFAULT_BASE_IS_MOOF = 0x020000;
const TRUN_DATA_OFFSET = 0x000001;
const TRUN_FIRST_FLAGS = 0x000004;
const TRUN_DURATION = 0x000100;
const TRUN_SIZE = 0x000200;
const TRUN_FLAGS = 0x000400;
const TRUN_COMPOSITION_OFFSET = 0x000800;

interface TrackHeader extends TrackDefaults {
  readonly trackId: number;
  readonly baseIsMoof: boolean;
}

/** What the runs of one fragment share: where its data may be, and what they have used up. */
class FragmentData {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  #samplesLeft = MAX_SAMPLES;
  #bytesLeft: number;

  constructor(bytes: Buffer, mdat: BoxView) {
    this.bytes = bytes;
    this.start = mdat.bodyOffset;
    this.end = mdat.bodyOffset + mdat.body.length;
    this.#bytesLeft = mdat.body.length;
  }

  claimSamples(count: number): void {
    if (count > this.#samplesLeft) {
      throw new AppError('BAD_MEDIA', `a fragment holds more than ${MAX_SAMPLES} samples; use shorter fragments`);
    }
    this.#samplesLeft -= count;
  }

  /** A view of one sample. Samples may not share bytes: together they are no larger than the `mdat`. */
  sample(at: number, size: number): Buffer {
    if (size > this.#bytesLeft || at < this.start || at + size > this.end) {
      throw new AppError(
        'BAD_MEDIA',
        `a sample of ${size} bytes at ${at} lies outside its mdat (${this.start} to ${this.end})`,
      );
    }
    this.#bytesLeft -= size;
    return this.bytes.subarray(at, at + size);
  }
}

/**
 * Reads one `moof` + `mdat` with any number of tracks. Tracks that `defaults` does not name are left out; boxes that carry
 * no sample tables are ignored.
 * @throws AppError `BAD_MEDIA` for anything malformed or over a limit; the time is bounded by the size.
 */
export function readSamples(bytes: Buffer, defaults: ReadonlyMap<number, TrackDefaults>): TrackSamples[] {
  const [moof, mdat, ...rest] = readBoxes(bytes, 'fragment');
  if (moof?.type !== 'moof' || mdat?.type !== 'mdat' || rest.length > 0) {
    throw new AppError('BAD_MEDIA', 'a fragment must be exactly one moof and one mdat');
  }
  const data = new FragmentData(bytes, mdat);
  const tracks = new Map<number, ReadSample[]>();
  let previousEnd = 0;
  for (const { type, body } of readBoxes(moof.body, 'moof')) {
    if (type !== 'traf') continue;
    const boxes = readBoxes(body, 'traf');
    const header = readTrackHeader(onlyBox(boxes, 'tfhd', 'traf').body, defaults);
    if (header === undefined) continue;
    const samples = tracks.get(header.trackId) ?? [];
    tracks.set(header.trackId, samples);
    const base = header.baseIsMoof ? 0 : previousEnd;
    previousEnd = readRuns(boxes, header, base, data, samples);
  }
  return [...tracks].map(([trackId, samples]) => ({ trackId, samples }));
}

function readTrackHeader(body: Buffer, defaults: ReadonlyMap<number, TrackDefaults>): TrackHeader | undefined {
  const reader = new FieldReader(body, 'tfhd');
  const { flags } = reader.versionAndFlags();
  const trackId = reader.u32();
  const trackDefaults = defaults.get(trackId);
  if (trackDefaults === undefined) return undefined;
  if ((flags & TFHD_BASE_DATA_OFFSET) !== 0) {
    throw new AppError(
      'BAD_MEDIA',
      'fragments with absolute data offsets cannot be read; add -movflags default_base_moof',
    );
  }
  const description = (flags & TFHD_DESCRIPTION) === 0 ? 1 : reader.u32();
  if (description !== 1)
    throw new AppError('BAD_MEDIA', `sample description ${description} does not exist; there is one`);
  return {
    trackId,
    baseIsMoof: (flags & TFHD_DEFAULT_BASE_IS_MOOF) !== 0,
    duration: (flags & TFHD_DURATION) === 0 ? trackDefaults.duration : reader.u32(),
    size: (flags & TFHD_SIZE) === 0 ? trackDefaults.size : reader.u32(),
    flags: (flags & TFHD_FLAGS) === 0 ? trackDefaults.flags : reader.u32(),
  };
}

/** Reads all runs of one track into `samples`; returns where its data ends. */
function readRuns(
  boxes: readonly BoxView[],
  header: TrackHeader,
  base: number,
  data: FragmentData,
  samples: ReadSample[],
): number {
  let dts = readDecodeTime(onlyBox(boxes, 'tfdt', 'traf').body);
  let at = base;
  for (const { type, body } of boxes) {
    if (type !== 'trun') continue;
    const run = new FieldReader(body, 'trun');
    const { flags } = run.versionAndFlags();
    const count = run.u32();
    if ((flags & TRUN_DATA_OFFSET) !== 0) at = base + run.i32();
    const firstFlags = (flags & TRUN_FIRST_FLAGS) === 0 ? undefined : run.u32();
    checkRowBytes(flags, count, run.remaining);
    data.claimSamples(count);
    for (let index = 0; index < count; index += 1) {
      const duration = (flags & TRUN_DURATION) === 0 ? header.duration : run.u32();
      const size = (flags & TRUN_SIZE) === 0 ? header.size : run.u32();
      const ownFlags = (flags & TRUN_FLAGS) === 0 ? header.flags : run.u32();
      const sampleFlags = index === 0 ? (firstFlags ?? ownFlags) : ownFlags;
      // Signed in version 1 only, but offsets of 2^31 and above are negative ones that were written with version 0.
      const offset = (flags & TRUN_COMPOSITION_OFFSET) === 0 ? 0 : run.i32();
      samples.push({
        dts,
        pts: dts + offset,
        duration,
        sync: (sampleFlags & NON_SYNC) === 0,
        data: data.sample(at, size),
      });
      dts += duration;
      at += size;
    }
  }
  return at;
}

function checkRowBytes(flags: number, count: number, remaining: number): void {
  const columns = [TRUN_DURATION, TRUN_SIZE, TRUN_FLAGS, TRUN_COMPOSITION_OFFSET];
  const expected = count * 4 * columns.filter((column) => (flags & column) !== 0).length;
  if (remaining !== expected) {
    throw new AppError('BAD_MEDIA', `a trun of ${count} samples has ${remaining} bytes of rows instead of ${expected}`);
  }
}

/** ffmpeg writes an audio encoder's priming before time zero as an unsigned time: it is read as the negative one it was. */
function readDecodeTime(body: Buffer): number {
  const reader = new FieldReader(body, 'tfdt');
  const { version } = reader.versionAndFlags();
  const time = version === 0 ? reader.u32() : reader.i64();
  // Leaves room for the durations of all samples.
  if (Math.abs(time) > Number.MAX_SAFE_INTEGER - MAX_SAMPLES * 0xffffffff) {
    throw new AppError('BAD_MEDIA', `the decode time ${time} is out of range`);
  }
  return time;
}
