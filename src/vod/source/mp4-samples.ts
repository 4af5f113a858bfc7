import { setImmediate } from 'node:timers/promises';
import { type BoxView, FieldReader, onlyBox } from '../../media/cmaf/box-reader.ts';
import { AppError } from '../../util/errors.ts';

const MAX_SAMPLES = 20_000_000;
/** Other work gets its turn after so many samples. */
const SAMPLES_PER_TURN = 200_000;

/** One sample of a track; times are ticks of its media. */
export interface Mp4Sample {
  /** When it is shown, before edits. */
  readonly cts: number;
  readonly duration: number;
  readonly size: number;
  readonly isSync: boolean;
}

/**
 * Walks through the sample tables of a track in decoding order (ISO/IEC 14496-12, 8.6 and 8.7.3).
 * @param stbl content of its `stbl`
 * @throws AppError `BAD_MEDIA` for more than 20 million samples, and for tables that are cut off
 */
export async function readSamples(stbl: readonly BoxView[], onSample: (sample: Mp4Sample) => void): Promise<void> {
  const sizes = readSizes(stbl);
  const durations = new RunTable(onlyBox(stbl, 'stts', 'stbl'));
  const offsets = optionalBox(stbl, 'ctts', (box) => new RunTable(box));
  const syncs = optionalBox(stbl, 'stss', (box) => new RowTable(box, 4));
  let nextSync = 0;
  let dts = 0;
  for (let index = 0; index < sizes.count; index += 1) {
    if (syncs !== undefined) {
      while (nextSync < syncs.count && syncs.uint(nextSync) <= index) nextSync += 1;
    }
    const duration = durations.next();
    onSample({
      cts: dts + (offsets === undefined ? 0 : offsets.next() | 0),
      duration,
      size: sizes.at(index),
      isSync: syncs === undefined || (nextSync < syncs.count && syncs.uint(nextSync) === index + 1),
    });
    dts += duration;
    if (index % SAMPLES_PER_TURN === SAMPLES_PER_TURN - 1) await setImmediate();
  }
}

function optionalBox<T>(stbl: readonly BoxView[], type: string, read: (box: BoxView) => T): T | undefined {
  const box = stbl.find((other) => other.type === type);
  return box && read(box);
}

function readSizes(stbl: readonly BoxView[]): { count: number; at: (index: number) => number } {
  const box = onlyBox(stbl, 'stsz', 'stbl');
  const reader = new FieldReader(box.body, 'stsz');
  reader.skip(4);
  const size = reader.u32();
  const count = reader.u32();
  if (count > MAX_SAMPLES) {
    throw new AppError('BAD_MEDIA', `${count} samples are more than the limit of ${MAX_SAMPLES}`);
  }
  if (size !== 0) return { count, at: () => size };
  const rows = reader.take(count * 4);
  return { count, at: (index) => rows.readUInt32BE(index * 4) };
}

/** The rows of a full box that begins with their count. */
class RowTable {
  readonly count: number;
  readonly #rows: Buffer;

  constructor({ body, type }: BoxView, rowBytes: number) {
    const reader = new FieldReader(body, type);
    reader.skip(4);
    this.count = reader.u32();
    this.#rows = reader.take(this.count * rowBytes);
  }

  /** The 32-bit number at a place, counted in numbers. */
  uint(index: number): number {
    return this.#rows.readUInt32BE(index * 4);
  }
}

/** Rows of a count and a value that so many samples have, as `stts` and `ctts` are. */
class RunTable {
  readonly #table: RowTable;
  #row = -1;
  #left = 0;
  #value = 0;

  constructor(box: BoxView) {
    this.#table = new RowTable(box, 8);
  }

  /** The value of the next sample; past the end that of the last row. */
  next(): number {
    while (this.#left === 0 && this.#row + 1 < this.#table.count) {
      this.#row += 1;
      this.#left = this.#table.uint(this.#row * 2);
      this.#value = this.#table.uint(this.#row * 2 + 1);
    }
    if (this.#left > 0) this.#left -= 1;
    return this.#value;
  }
}
