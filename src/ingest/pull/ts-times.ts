import { readPacket, TS_PACKET_BYTES } from './ts-packets.ts';

/** Ticks of 90 kHz after which the clock of a transport stream begins anew (ISO/IEC 13818-1, 2.4.3.7). */
export const CLOCK_TURN = 2 ** 33;

/**
 * The first decode time that a transport stream tells for one of its streams, in ticks of 90 kHz; `undefined` if there is
 * none.
 * @param at where its first packet begins
 */
export function firstDecodeTime(bytes: Buffer, pid: number, at: number): number | undefined {
  for (let start = at; start + TS_PACKET_BYTES <= bytes.length; start += TS_PACKET_BYTES) {
    const packet = readPacket(bytes, start);
    if (packet?.pid !== pid || !packet.isStart || packet.isScrambled) continue;
    const time = decodeTimeOf(packet.payload);
    if (time !== undefined) return time;
  }
  return undefined;
}

/** How far a time of a 33-bit clock is after another one; negative if it is before. At most half a turn. */
export function ticksBetween(from: number, to: number): number {
  const ticks = (((to - from) % CLOCK_TURN) + CLOCK_TURN) % CLOCK_TURN;
  return ticks >= CLOCK_TURN / 2 ? ticks - CLOCK_TURN : ticks;
}

/** The decode time, in ticks of 90 kHz, of the PES packet that begins here (ISO/IEC 13818-1, 2.4.3.6), if it tells one. */
export function decodeTimeOf(payload: Buffer): number | undefined {
  if (payload.length < 14 || payload.readUIntBE(0, 3) !== 1) return undefined;
  const flags = (payload[7] ?? 0) >> 6;
  if (flags === 3 && payload.length >= 19) return timeAt(payload, 14);
  return flags >= 2 ? timeAt(payload, 9) : undefined;
}

function timeAt(payload: Buffer, at: number): number {
  const high = ((payload[at] ?? 0) >> 1) & 7;
  return high * 2 ** 30 + (payload.readUInt16BE(at + 1) >> 1) * 2 ** 15 + (payload.readUInt16BE(at + 3) >> 1);
}
