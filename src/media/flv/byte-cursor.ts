import { AppError } from '../../util/errors.ts';

/** Reads a message body forwards and never past its end. */
export class ByteCursor {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Bytes that are left. */
  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  /** @throws AppError `BAD_MEDIA` at the end of the body, as do all other reads. */
  uint8(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  uint16(): number {
    return this.#bytes.readUInt16BE(this.#advance(2));
  }

  uint24(): number {
    return this.#bytes.readUIntBE(this.#advance(3), 3);
  }

  int24(): number {
    return this.#bytes.readIntBE(this.#advance(3), 3);
  }

  /** Four characters, one per byte. */
  fourCc(): string {
    return this.take(4).toString('latin1');
  }

  /** A view of the next `length` bytes. */
  take(length: number): Buffer {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** A view of all that is left. */
  rest(): Buffer {
    return this.take(this.remaining);
  }

  #advance(length: number): number {
    const start = this.#position;
    if (length > this.remaining) {
      throw new AppError(
        'BAD_MEDIA',
        `the message ends after ${this.#bytes.length} bytes where ${length} more were announced at ${start}`,
      );
    }
    this.#position += length;
    return start;
  }
}
