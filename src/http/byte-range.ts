/** First and last byte of a part of a file, both inclusive. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Reads a `Range` header for a file of `size` bytes (RFC 9110, section 14): `undefined` if the whole file is to be sent,
 * since the header is absent, malformed, in another unit or asks for several ranges.
 */
export function parseByteRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  if (from >= size) return 'unsatisfiable';
  return { first: from, last: first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}
