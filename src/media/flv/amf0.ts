import { AppError } from '../../util/errors.ts';

/** A value of the Action Message Format, version 0, as far as RTMP publishers use it. */
export type Amf0Value = number | boolean | string | null | undefined | Amf0Object | readonly Amf0Value[];

/** Members of an AMF0 object or ECMA array. Decoded ones have no prototype. */
export interface Amf0Object {
  readonly [name: string]: Amf0Value;
}

/** What one message may hold: deeper or larger ones are refused. */
export const AMF0_LIMITS = Object.freeze({ maxDepth: 16, maxValues: 4096 });

/** True for an object or ECMA array. */
export function isAmf0Object(value: Amf0Value): value is Amf0Object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Decodes a message of consecutive AMF0 values.
 *
 * @throws AppError `BAD_MEDIA` for a truncated, too deep or too large message, or one of an unknown type.
 */
export function decodeAmf0(bytes: Buffer): Amf0Value[] {
  const reader = new Amf0Reader(bytes);
  const values: Amf0Value[] = [];
  while (!reader.atEnd) values.push(reader.value(0));
  return values;
}

/** Encodes values one after the other; arrays become strict arrays. */
export function encodeAmf0(...values: readonly Amf0Value[]): Buffer {
  return Buffer.concat(values.map(encodeValue));
}

class Amf0Reader {
  readonly #bytes: Buffer;
  #position = 0;
  #values = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#position >= this.#bytes.length;
  }

  value(depth: number): Amf0Value {
    this.#values += 1;
    if (depth > AMF0_LIMITS.maxDepth) throw bad(`values nested deeper than ${AMF0_LIMITS.maxDepth}`);
    if (this.#values > AMF0_LIMITS.maxValues) throw bad(`more than ${AMF0_LIMITS.maxValues} values`);
    const marker = this.#take(1).readUInt8();
    switch (marker) {
      case 0x00:
        return this.#take(8).readDoubleBE();
      case 0x01:
        return this.#take(1).readUInt8() !== 0;
      case 0x02:
        return this.#string(2);
      case 0x03:
        return this.#members(depth);
      case 0x05:
        return null;
      case 0x06:
      case 0x0d:
        return undefined;
      case 0x07:
        this.#take(2);
        return undefined;
      case 0x08:
        this.#take(4);
        return this.#members(depth);
      case 0x0a:
        return this.#strictArray(depth);
      case 0x0b:
        return this.#take(10).readDoubleBE();
      case 0x0c:
      case 0x0f:
        return this.#string(4);
      case 0x10:
        this.#string(2);
        return this.#members(depth);
      default:
        throw bad(`unknown type ${marker}`);
    }
  }

  #members(depth: number): Amf0Object {
    const members = Object.create(null) as Record<string, Amf0Value>;
    for (;;) {
      // Some encoders end the outermost array with the message instead of the end marker.
      if (this.atEnd) return members;
      const name = this.#string(2);
      if (name === '' && this.#bytes[this.#position] === 0x09) {
        this.#take(1);
        return members;
      }
      members[name] = this.value(depth + 1);
    }
  }

  #strictArray(depth: number): Amf0Value[] {
    const count = this.#take(4).readUInt32BE();
    const items: Amf0Value[] = [];
    for (let i = 0; i < count; i += 1) items.push(this.value(depth + 1));
    return items;
  }

  #string(lengthBytes: number): string {
    const length = this.#take(lengthBytes).readUIntBE(0, lengthBytes);
    return this.#take(length).toString('utf8');
  }

  #take(length: number): Buffer {
    const end = this.#position + length;
    if (end > this.#bytes.length) throw bad(`it ends after ${this.#bytes.length} bytes, ${end} were announced`);
    const view = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return view;
  }
}

function encodeValue(value: Amf0Value): Buffer {
  switch (typeof value) {
    case 'number': {
      const out = Buffer.alloc(9);
      out.writeDoubleBE(value, 1);
      return out;
    }
    case 'boolean':
      return Buffer.from([0x01, value ? 1 : 0]);
    case 'string': {
      const text = Buffer.from(value, 'utf8');
      if (text.length > 0xffff) return Buffer.concat([Buffer.from([0x0c]), uint(text.length, 4), text]);
      return Buffer.concat([Buffer.from([0x02]), uint(text.length, 2), text]);
    }
    case 'undefined':
      return Buffer.from([0x06]);
    default:
      return encodeComposite(value);
  }
}

function encodeComposite(value: Amf0Object | readonly Amf0Value[] | null): Buffer {
  if (value === null) return Buffer.from([0x05]);
  if (Array.isArray(value)) {
    return Buffer.concat([Buffer.from([0x0a]), uint(value.length, 4), ...(value as Amf0Value[]).map(encodeValue)]);
  }
  const members = Object.entries(value as Amf0Object).flatMap(([name, member]) => {
    const text = Buffer.from(name, 'utf8');
    return [uint(text.length, 2), text, encodeValue(member)];
  });
  return Buffer.concat([Buffer.from([0x03]), ...members, Buffer.from([0x00, 0x00, 0x09])]);
}

function uint(value: number, length: number): Buffer {
  const out = Buffer.alloc(length);
  out.writeUIntBE(value, 0, length);
  return out;
}

function bad(what: string): AppError {
  return new AppError('BAD_MEDIA', `the AMF0 message is unusable: ${what}`);
}
