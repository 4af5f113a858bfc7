import type { TsPacket } from './ts-packets.ts';
import type { TsProgram } from './ts-program.ts';
import type { TsCodec } from './ts-streams.ts';

/** What follows 00 00 01 where a decoder's set-up is, by codec: the byte under a mask. */
const SETUP_UNITS: Readonly<Partial<Record<TsCodec, { mask: number; units: readonly number[] }>>> = {
  // SPS (ITU-T H.264, 7.4.1)
  h264: { mask: 0x1f, units: [7] },
  // VPS and SPS (ITU-T H.265, 7.4.2.2)
  h265: { mask: 0x7e, units: [64, 66] },
  // Sequence header (ISO/IEC 13818-2, 6.2.1)
  'mpeg-video': { mask: 0xff, units: [0xb3] },
  // Visual object sequence and video object layers (ISO/IEC 14496-2, 6.2.1)
  mpeg4: { mask: 0xff, units: [0xb0, 0x20] },
};

/** True if a decoder of the program may start with the PES packet that begins here. */
export function startsDecoding({ video, audio }: TsProgram, packet: TsPacket): boolean {
  const { pid, isStart, isRandomAccess, payload } = packet;
  if (!isStart || pid !== (video ?? audio)?.pid) return false;
  const setup = video === undefined ? undefined : SETUP_UNITS[video.codec];
  if (setup === undefined || isRandomAccess) return true;
  for (
    let at = payload.indexOf('\0\0\u0001', 3, 'latin1');
    at >= 0;
    at = payload.indexOf('\0\0\u0001', at + 3, 'latin1')
  ) {
    if (setup.units.includes((payload[at + 3] ?? 0) & setup.mask)) return true;
  }
  return false;
}
