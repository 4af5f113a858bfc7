import { AppError } from '../../util/errors.ts';

/** Reads bits, most significant first. Every method throws AppError `BAD_MEDIA` past the end. */
export class BitReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #bit = 0;

  /** @param what name of the structure, for error messages. */
  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  /** Bits that are left. */
  get remaining(): number {
    return this.#bytes.length * 8 - this.#bit;
  }

  /** An unsigned number of 0 to 32 bits. */
  bits(count: number): number {
    if (count > this.remaining) {
      throw new AppError('BAD_MEDIA', `the ${this.#what} ends after ${this.#bytes.length} bytes, in mid-field`);
    }
    let value = 0;
    for (let left = count; left > 0;) {
      const offset = this.#bit & 7;
      const take = Math.min(left, 8 - offset);
      const byte = this.#bytes[this.#bit >> 3] ?? 0;
      value = value * 2 ** take + ((byte >> (8 - offset - take)) & ((1 << take) - 1));
      this.#bit += take;
      left -= take;
    }
    return value;
  }

  flag(): boolean {
    return this.bits(1) === 1;
  }

  skip(count: number): void {
    for (let left = count; left > 0; left -= 32) this.bits(Math.min(left, 32));
  }

  /** An unsigned Exp-Golomb number (ITU-T H.264, 9.1), which is also AV1's `uvlc()`. */
  ue(): number {
    let zeros = 0;
    while (!this.flag()) {
      zeros += 1;
      if (zeros > 32) throw new AppError('BAD_MEDIA', `the ${this.#what} holds a number of more than 32 bits`);
    }
    return 2 ** zeros - 1 + this.bits(zeros);
  }

  /** A signed Exp-Golomb number. */
  se(): number {
    const value = this.ue();
    return value % 2 === 1 ? (value + 1) / 2 : -value / 2;
  }
}

/** A NAL unit's payload without the emulation prevention bytes (ITU-T H.264, 7.4.1.1). */
export function unescapeNalUnit(unit: Buffer): Buffer {
  const out = Buffer.allocUnsafe(unit.length);
  let length = 0;
  let zeros = 0;
  for (const byte of unit) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    out[length] = byte;
    length += 1;
  }
  return out.subarray(0, length);
}
