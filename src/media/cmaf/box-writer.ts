/** A box (ISO/IEC 14496-12, 4.2) around its content. */
export function box(type: string, ...content: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(content.reduce((sum, { length }) => sum + length, header.length));
  header.write(type, 4, 'latin1');
  return Buffer.concat([header, ...content]);
}

/** A box that starts with version and flags. */
export function fullBox(type: string, version: number, flags: number, ...content: readonly Buffer[]): Buffer {
  return box(type, u32(version * 0x1000000 + flags), ...content);
}

/** Big-endian unsigned numbers of 8 bits. */
export function u8(...values: readonly number[]): Buffer {
  return Buffer.from(values);
}

/** Big-endian unsigned numbers of 16 bits. */
export function u16(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, index) => bytes.writeUInt16BE(value, index * 2));
  return bytes;
}

/** Big-endian unsigned numbers of 32 bits. */
export function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => bytes.writeUInt32BE(value, index * 4));
  return bytes;
}

/** Characters of one byte each. */
export function ascii(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}
