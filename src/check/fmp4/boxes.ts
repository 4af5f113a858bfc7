import { AppError } from '../../util/errors.ts';

/** A box of an ISO base media file; offsets are into the buffer that it was read from. */
export interface Box {
  readonly type: string;
  readonly start: number;
  /** Where its payload begins. */
  readonly body: number;
  readonly end: number;
}

/**
 * The boxes between two offsets (ISO/IEC 14496-12, 4.2).
 * @throws AppError `BAD_MEDIA` if one does not fit.
 */
export function readBoxes(data: Buffer, from = 0, to = data.length): Box[] {
  const boxes: Box[] = [];
  for (let start = from; start < to;) {
    if (start + 8 > to) throw new AppError('BAD_MEDIA', `a box header at byte ${start} is cut off`);
    let size = data.readUInt32BE(start);
    let body = start + 8;
    if (size === 1 && start + 16 <= to) {
      size = Number(data.readBigUInt64BE(start + 8));
      body = start + 16;
    } else if (size === 0) size = to - start;
    const type = data.toString('latin1', start + 4, start + 8);
    if (size < body - start || start + size > to) {
      throw new AppError(
        'BAD_MEDIA',
        `box ${JSON.stringify(type)} at byte ${start} has ${size} bytes, of ${to - start}`,
      );
    }
    boxes.push({ type, start, body, end: start + size });
    start += size;
  }
  return boxes;
}

/** The children of a box, after `skip` bytes of its payload. */
export function children(data: Buffer, box: Box, skip = 0): Box[] {
  return readBoxes(data, box.body + skip, box.end);
}

/** The first box at the end of a path of types, `undefined` if there is none. */
export function findBox(data: Buffer, within: readonly Box[], ...types: string[]): Box | undefined {
  const [type, ...rest] = types;
  const box = within.find((candidate) => candidate.type === type);
  return box === undefined || rest.length === 0 ? box : findBox(data, children(data, box), ...rest);
}
