import type { TsPacket } from './ts-packets.ts';

/** Longest section of a PAT or PMT, its header included (ISO/IEC 13818-1, 2.4.4.3 and 2.4.4.8). */
const MAX_SECTION_BYTES = 1_024;
const STUFFING = 0xff;

/** Puts the sections of one table together from the packets of its PID. Memory: the section in progress. */
export class TsSections {
  #pending: Buffer = Buffer.alloc(0);
  #waits = true;

  /** Takes the PID's next packet and answers the sections that it completes and whose checksum is right. */
  push({ isStart, payload }: TsPacket): Buffer[] {
    if (payload.length === 0) return [];
    if (!isStart) {
      if (!this.#waits) this.#pending = Buffer.concat([this.#pending, payload]);
      return this.#take();
    }
    const pointer = payload[0] ?? 0;
    const end = Math.min(1 + pointer, payload.length);
    // What comes before the pointer's target ends the section before.
    this.#pending = this.#waits ? Buffer.alloc(0) : Buffer.concat([this.#pending, payload.subarray(1, end)]);
    const finished = this.#take();
    this.#pending = Buffer.from(payload.subarray(end));
    this.#waits = false;
    return [...finished, ...this.#take()];
  }

  #take(): Buffer[] {
    const sections: Buffer[] = [];
    while (!this.#waits && this.#pending.length >= 3 && this.#pending[0] !== STUFFING) {
      const length = 3 + (this.#pending.readUInt16BE(1) & 0x0fff);
      if (length > MAX_SECTION_BYTES) return this.#giveUp(sections);
      if (this.#pending.length < length) return sections;
      const section = this.#pending.subarray(0, length);
      this.#pending = this.#pending.subarray(length);
      if (length >= 12 && crc32(section) === 0) sections.push(section);
    }
    return this.#pending[0] === STUFFING ? this.#giveUp(sections) : sections;
  }

  #giveUp(sections: Buffer[]): Buffer[] {
    this.#pending = Buffer.alloc(0);
    this.#waits = true;
    return sections;
  }
}

/** CRC of ISO/IEC 13818-1, annex A; 0 over a section with its own checksum. */
function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
  }
  return crc >>> 0;
}
