/** `avc1.PPCCLL` from the body of an `avcC` (RFC 6381, 3.3). At least 4 bytes. */
export function avcCodecString(avcC: Buffer): string {
  return `avc1.${avcC.toString('hex', 1, 4)}`;
}

/** `hvc1.…` from the body of an `hvcC` (ISO/IEC 14496-15, E.3). At least 13 bytes. */
export function hevcCodecString(hvcC: Buffer): string {
  const general = hvcC.readUInt8(1);
  const space = ['', 'A', 'B', 'C'][general >> 6] ?? '';
  const tier = (general & 0x20) === 0 ? 'L' : 'H';
  const constraints = [...hvcC.subarray(6, 12)];
  while (constraints.at(-1) === 0) constraints.pop();
  return [
    'hvc1',
    `${space}${general & 0x1f}`,
    reverseBits(hvcC.readUInt32BE(2)).toString(16).toUpperCase(),
    `${tier}${hvcC.readUInt8(12)}`,
    ...constraints.map((byte) => byte.toString(16).toUpperCase()),
  ].join('.');
}

/** `av01.P.LLT.DD` from the body of an `av1C` (AV1-ISOBMFF, 5). At least 3 bytes. */
export function av1CodecString(av1C: Buffer): string {
  const profileAndLevel = av1C.readUInt8(1);
  const flags = av1C.readUInt8(2);
  const level = twoDigits(profileAndLevel & 0x1f);
  const tier = (flags & 0x80) === 0 ? 'M' : 'H';
  const isHighDepth = (flags & 0x40) !== 0;
  const depth = isHighDepth ? ((flags & 0x20) === 0 ? 10 : 12) : 8;
  return `av01.${profileAndLevel >> 5}.${level}${tier}.${twoDigits(depth)}`;
}

/** `vp09.PP.LL.DD` from a VPCodecConfigurationRecord, without the box's version and flags. At least 3 bytes. */
export function vp9CodecString(record: Buffer): string {
  return `vp09.${twoDigits(record.readUInt8(0))}.${twoDigits(record.readUInt8(1))}.${twoDigits(record.readUInt8(2) >> 4)}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

function reverseBits(word: number): number {
  let reversed = 0;
  for (let bit = 0; bit < 32; bit += 1) reversed = (reversed << 1) | ((word >>> bit) & 1);
  return reversed >>> 0;
}
