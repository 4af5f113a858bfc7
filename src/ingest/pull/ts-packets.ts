/** Bytes of a transport stream packet (ISO/IEC 13818-1, 2.4.3). */
export const TS_PACKET_BYTES = 188;
const SYNC = 0x47;
/** Packets in a row that must begin with the sync byte: single ones are common in media. */
const PROOF_PACKETS = 3;

/** One packet of a transport stream; views, not copies. */
export interface TsPacket {
  readonly pid: number;
  /** True if a section or a PES packet begins in it. */
  readonly isStart: boolean;
  /** True if it says that decoding may start here. */
  readonly isRandomAccess: boolean;
  /** True if its payload is scrambled. */
  readonly isScrambled: boolean;
  /** Empty if it carries none, or is damaged. */
  readonly payload: Buffer;
}

/**
 * Where the first packet begins at or after `from`: the sync byte there and, as far as the bytes reach, in the packets
 * after it. -1 if there is none.
 */
export function findPacket(bytes: Buffer, from = 0): number {
  for (let at = bytes.indexOf(SYNC, from); at >= 0; at = bytes.indexOf(SYNC, at + 1)) {
    let proofs = 1;
    while (proofs < PROOF_PACKETS && isSynchronous(bytes, at + proofs * TS_PACKET_BYTES)) proofs += 1;
    if (proofs === PROOF_PACKETS) return at;
  }
  return -1;
}

function isSynchronous(bytes: Buffer, at: number): boolean {
  return at >= bytes.length || bytes[at] === SYNC;
}

/** Reads the packet that begins at `at`; `undefined` unless all of it is there, with its sync byte. */
export function readPacket(bytes: Buffer, at: number): TsPacket | undefined {
  if (at + TS_PACKET_BYTES > bytes.length || bytes[at] !== SYNC) return undefined;
  const word = bytes.readUInt32BE(at);
  const control = word & 0xff;
  const hasPayload = (control & 0x10) !== 0;
  const adaptationBytes = (control & 0x20) === 0 ? 0 : 1 + (bytes[at + 4] ?? 0);
  const isDamaged = (word & 0x00800000) !== 0;
  const start = hasPayload && !isDamaged ? Math.min(4 + adaptationBytes, TS_PACKET_BYTES) : TS_PACKET_BYTES;
  return {
    pid: (word >>> 8) & 0x1fff,
    isStart: (word & 0x00400000) !== 0,
    isRandomAccess: adaptationBytes > 1 && ((bytes[at + 5] ?? 0) & 0x40) !== 0,
    isScrambled: (control & 0xc0) !== 0,
    payload: bytes.subarray(at + start, at + TS_PACKET_BYTES),
  };
}
