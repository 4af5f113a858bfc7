import type { ByteSource } from '../../util/byte-source.ts';
import { AppError } from '../../util/errors.ts';

/** Longest id and longest size (RFC 8794, 5 and 6; RFC 9559, 4.5). */
const MAX_HEADER_BYTES = 4 + 8;
/** A master element with more children is none that a player needs. */
const MAX_CHILDREN = 2_000_000;

/** Where an element lies. */
export interface ElementHeader {
  /** With its length marker, e.g. 0x1a45dfa3. */
  readonly id: number;
  readonly bodyOffset: number;
  /** Infinity if it is unknown. */
  readonly bodyBytes: number;
}

/** An element inside a buffer; its body is a view. */
export interface Element {
  readonly id: number;
  readonly body: Buffer;
}

/** Reads the header of the element at an offset. @throws AppError `BAD_MEDIA` if there is none */
export async function readElementHeader(
  bytes: ByteSource,
  offset: number,
  signal?: AbortSignal,
): Promise<ElementHeader> {
  if (!(offset < bytes.sizeBytes))
    throw new AppError('BAD_MEDIA', `there is no element at byte ${offset}: the file is over`);
  const header = await bytes.read(offset, Math.min(MAX_HEADER_BYTES, bytes.sizeBytes - offset), signal);
  const { id, size, headerBytes } = parseHeader(header, 0);
  return { id, bodyOffset: offset + headerBytes, bodyBytes: size };
}

/** The children of a master element, one after the other. Throws AppError `BAD_MEDIA` where they do not fill it. */
export function* elementsOf(content: Buffer): Generator<Element> {
  let at = 0;
  for (let count = 0; at < content.length; count += 1) {
    const { id, size, headerBytes } = parseHeader(content, at);
    const end = at + headerBytes + size;
    if (end > content.length || count === MAX_CHILDREN) {
      throw new AppError('BAD_MEDIA', `an element of ${size} bytes does not fit into ${content.length - at}`);
    }
    yield { id, body: content.subarray(at + headerBytes, end) };
    at = end;
  }
}

/** The first child with an id. */
export function elementOf(content: Buffer, id: number): Buffer | undefined {
  for (const element of elementsOf(content)) if (element.id === id) return element.body;
  return undefined;
}

/** An unsigned number of up to 8 bytes; not exact above 2^53. */
export function uintOf(body: Buffer): number {
  if (body.length > 8) throw new AppError('BAD_MEDIA', `a number of ${body.length} bytes is too long`);
  return body.reduce((value, byte) => value * 256 + byte, 0);
}

function parseHeader(bytes: Buffer, at: number): { id: number; size: number; headerBytes: number } {
  const idBytes = Math.clz32(bytes[at] ?? 0) - 23;
  const sizeAt = at + idBytes;
  const first = bytes[sizeAt] ?? 0;
  const sizeBytes = Math.clz32(first) - 23;
  if (idBytes > 4 || sizeBytes > 8 || sizeAt + sizeBytes > bytes.length) {
    throw new AppError('BAD_MEDIA', `there is no element at byte ${at} of ${bytes.length}`);
  }
  let size = first & (0xff >> sizeBytes);
  let isUnknown = size === 0xff >> sizeBytes;
  for (const byte of bytes.subarray(sizeAt + 1, sizeAt + sizeBytes)) {
    size = size * 256 + byte;
    isUnknown &&= byte === 0xff;
  }
  const headerBytes = idBytes + sizeBytes;
  return { id: bytes.readUIntBE(at, idBytes), size: isUnknown ? Infinity : size, headerBytes };
}
