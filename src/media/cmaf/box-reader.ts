import { AppError } from '../../util/errors.ts';

/** A box inside a buffer; views, not copies. */
export interface BoxView {
  /** Four characters. */
  readonly type: string;
  /** The content, without the header. */
  readonly body: Buffer;
  /** Where the content starts, counted from the start of the buffer that was read. */
  readonly bodyOffset: number;
  /** The whole box with its header. */
  readonly bytes: Buffer;
}

/** Most boxes that one container may hold. */
const MAX_CHILDREN = 256;

/**
 * Splits a container's content into boxes that must fill it exactly (ISO/IEC 14496-12, 4.2).
 * @param what name of the container, for error messages.
 * @throws AppError `BAD_MEDIA` for boxes that do not.
 */
export function readBoxes(content: Buffer, what: string): BoxView[] {
  const boxes: BoxView[] = [];
  let at = 0;
  while (at < content.length) {
    if (content.length - at < 8) throw new AppError('BAD_MEDIA', `${content.length - at} stray bytes end the ${what}`);
    const type = content.toString('latin1', at + 4, at + 8);
    const { size, headerBytes } = readSize(content, at);
    if (size < headerBytes || size > content.length - at) {
      throw new AppError(
        'BAD_MEDIA',
        `a box of ${size} bytes does not fit into the ${what} (${content.length - at} left)`,
      );
    }
    if (boxes.length === MAX_CHILDREN) {
      throw new AppError('BAD_MEDIA', `the ${what} holds more than ${MAX_CHILDREN} boxes`);
    }
    const bodyOffset = at + headerBytes;
    boxes.push({
      type,
      body: content.subarray(bodyOffset, at + size),
      bodyOffset,
      bytes: content.subarray(at, at + size),
    });
    at += size;
  }
  return boxes;
}

function readSize(content: Buffer, at: number): { size: number; headerBytes: number } {
  const size = content.readUInt32BE(at);
  if (size !== 1) return { size, headerBytes: 8 };
  if (content.length - at < 16) return { size: Infinity, headerBytes: 16 };
  return { size: readUint64(content, at + 8), headerBytes: 16 };
}

/** The only box of a type. @throws AppError `BAD_MEDIA` if there is none or more than one. */
export function onlyBox(boxes: readonly BoxView[], type: string, what: string): BoxView {
  const found = boxes.filter((box) => box.type === type);
  const [box] = found;
  if (box === undefined || found.length > 1) {
    throw new AppError('BAD_MEDIA', `the ${what} has ${found.length} "${type}" boxes instead of one`);
  }
  return box;
}

/** Reads the fields of a box one after the other; throws AppError `BAD_MEDIA` past the end. */
export class FieldReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at = 0;

  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  /** Bytes that are left. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  i32(): number {
    return this.#bytes.readInt32BE(this.#advance(4));
  }

  /** As a number: above 2^53 it is not exact. */
  u64(): number {
    return readUint64(this.#bytes, this.#advance(8));
  }

  i64(): number {
    return Number(this.#bytes.readBigInt64BE(this.#advance(8)));
  }

  /** Version and flags of a full box. */
  versionAndFlags(): { version: number; flags: number } {
    const word = this.u32();
    return { version: word >>> 24, flags: word & 0xffffff };
  }

  skip(count: number): void {
    this.#advance(count);
  }

  take(count: number): Buffer {
    const at = this.#advance(count);
    return this.#bytes.subarray(at, at + count);
  }

  #advance(count: number): number {
    const at = this.#at;
    if (count > this.remaining) {
      throw new AppError('BAD_MEDIA', `the ${this.#what} ends after ${this.#bytes.length} bytes, in mid-field`);
    }
    this.#at += count;
    return at;
  }
}

function readUint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}
