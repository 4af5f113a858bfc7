/** One row of a sample table, ready to be written. */
export interface SampleRow {
  /** Ticks; unsigned 32 bits. */
  readonly duration: number;
  /** Bytes. */
  readonly size: number;
  readonly sync: boolean;
  /** Ticks; signed 32 bits. */
  readonly compositionOffset: number;
}

/** Sample flags (ISO/IEC 14496-12, 8.8.3.1): depends on no other sample. */
const SYNC_FLAGS = 0x02000000;
/** Depends on others and is not a sync sample. */
const DELTA_FLAGS = 0x01010000;

const TFHD_DEFAULT_BASE_IS_MOOF = 0x020000;
const TFHD_DEFAULT_DURATION = 0x000008;
const TFHD_DEFAULT_FLAGS = 0x000020;
const TRUN_DATA_OFFSET = 0x000001;
const TRUN_DURATION = 0x000100;
const TRUN_SIZE = 0x000200;
const TRUN_FLAGS = 0x000400;
const TRUN_COMPOSITION_OFFSET = 0x000800;

const MOOF = 0x6d6f6f66;
const MFHD = 0x6d666864;
const TRAF = 0x74726166;
const TFHD = 0x74666864;
const TFDT = 0x74666474;
const TRUN = 0x7472756e;
const MDAT = 0x6d646174;
const FIXED_BYTES = 8 + 16 + 8 + 16 + 20 + 20;

/** What a written fragment holds. */
interface MovieFragmentLayout {
  readonly sequenceNumber: number;
  /** Decode time of the first sample, in ticks; up to 2^53 - 1. */
  readonly baseDecodeTime: number;
  /** At least one. */
  readonly samples: readonly SampleRow[];
  /** Sum of the samples' sizes. */
  readonly payloadBytes: number;
}

/** A fragment whose boxes are written and whose payload is still to be filled in. */
interface MovieFragment {
  /** The whole `moof` + `mdat`. */
  readonly bytes: Buffer;
  /** View of the `mdat`'s content inside `bytes`. Its memory is not cleared: the caller writes all of it. */
  readonly payload: Buffer;
}

/**
 * Writes the boxes of one `moof` + `mdat` for track 1 into one Buffer: `tfdt` with 64 bits, signed composition offsets
 * (`trun` version 1), and columns that are equal in all samples moved to the header (ISO/IEC 14496-12, 8.8).
 */
export function layOutMovieFragment(layout: MovieFragmentLayout): MovieFragment {
  const { samples, payloadBytes } = layout;
  const first = samples[0];
  if (first === undefined) throw new TypeError('a fragment needs at least one sample');
  const ownDuration = samples.some(({ duration }) => duration !== first.duration);
  const ownFlags = samples.some(({ sync }) => sync !== first.sync);
  const ownOffset = samples.some(({ compositionOffset }) => compositionOffset !== 0);
  const defaultsBytes = (ownDuration ? 0 : 4) + (ownFlags ? 0 : 4);
  const rowBytes = 4 * (1 + Number(ownDuration) + Number(ownFlags) + Number(ownOffset));
  const moofBytes = FIXED_BYTES + defaultsBytes + samples.length * rowBytes;

  const bytes = Buffer.allocUnsafe(moofBytes + 8 + payloadBytes);
  let at = 0;
  const u32 = (value: number): void => {
    at = bytes.writeUInt32BE(value, at);
  };
  u32(moofBytes);
  u32(MOOF);
  u32(16);
  u32(MFHD);
  u32(0);
  u32(layout.sequenceNumber >>> 0);
  u32(moofBytes - 24);
  u32(TRAF);
  u32(16 + defaultsBytes);
  u32(TFHD);
  u32(TFHD_DEFAULT_BASE_IS_MOOF | (ownDuration ? 0 : TFHD_DEFAULT_DURATION) | (ownFlags ? 0 : TFHD_DEFAULT_FLAGS));
  u32(1);
  if (!ownDuration) u32(first.duration);
  if (!ownFlags) u32(first.sync ? SYNC_FLAGS : DELTA_FLAGS);
  u32(20);
  u32(TFDT);
  u32(0x01000000);
  u32(Math.floor(layout.baseDecodeTime / 2 ** 32));
  u32(layout.baseDecodeTime % 2 ** 32);
  u32(20 + samples.length * rowBytes);
  u32(TRUN);
  u32(
    0x01000000 |
      TRUN_DATA_OFFSET |
      TRUN_SIZE |
      (ownDuration ? TRUN_DURATION : 0) |
      (ownFlags ? TRUN_FLAGS : 0) |
      (ownOffset ? TRUN_COMPOSITION_OFFSET : 0),
  );
  u32(samples.length);
  u32(moofBytes + 8);
  for (const { duration, size, sync, compositionOffset } of samples) {
    if (ownDuration) u32(duration);
    u32(size);
    if (ownFlags) u32(sync ? SYNC_FLAGS : DELTA_FLAGS);
    if (ownOffset) at = bytes.writeInt32BE(compositionOffset, at);
  }
  u32(8 + payloadBytes);
  u32(MDAT);
  return { bytes, payload: bytes.subarray(at) };
}
