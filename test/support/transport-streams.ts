import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** ffmpeg input options of a moving picture, 25 frames a second. */
export const TS_PICTURE = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25'];
/** ffmpeg input options of a tone, 48 kHz mono. */
export const TS_TONE = ['-f', 'lavfi', '-i', 'sine=sample_rate=48000'];
/** H.264 with B-frames and a keyframe each second. */
export const TS_H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-g', '25', '-pix_fmt', 'yuv420p'];
export const TS_AAC = ['-c:a', 'aac'];

/** What a stream's clock counts to, in ticks of 90 kHz. */
export const TS_WRAP_TICKS = 2 ** 33;

/** An MPEG transport stream as ffmpeg writes it. */
export async function encodeTs(args: readonly string[], { seconds = 2, startS = 10 } = {}): Promise<Buffer> {
  const times = ['-output_ts_offset', `${startS}`, '-muxdelay', '0', '-muxpreload', '0'];
  const output = ['-t', `${seconds}`, ...times, '-f', 'mpegts', 'pipe:1'];
  const options = { encoding: 'buffer', maxBuffer: 64 << 20 } as const;
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-threads', '1', ...args, ...output], options);
  return stdout;
}

/** A PES packet's times in 90 kHz ticks. */
export interface TsTimes {
  readonly dts: number;
  readonly pts: number;
}

/** The times of all packets of one kind, in decode order, as ffprobe reads them. */
export async function probeTs(bytes: Buffer, kind: 'v' | 'a'): Promise<TsTimes[]> {
  const asked = ['-select_streams', `${kind}:0`, '-show_entries', 'packet=pts,dts'];
  const probe = run('ffprobe', ['-v', 'error', '-of', 'json', ...asked, '-f', 'mpegts', '-i', 'pipe:0'], {
    maxBuffer: 64 << 20,
  });
  probe.child.stdin?.on('error', () => undefined).end(bytes);
  const { packets } = JSON.parse((await probe).stdout) as { packets: { pts: number; dts: number }[] };
  return packets.map(({ pts, dts }) => ({ pts, dts }));
}

/** One packet: its sync byte, `pid`, whether something begins in it, and a payload, stuffed to the end. */
export function tsPacket(pid: number, payload: Buffer, { isStart = true, control = 0x10 } = {}): Buffer {
  const packet = Buffer.alloc(188, 0xff);
  packet.writeUInt8(0x47, 0);
  packet.writeUInt16BE((isStart ? 0x4000 : 0) | pid, 1);
  packet.writeUInt8(control, 3);
  payload.copy(packet, 4);
  return packet;
}

function withCrc(section: Buffer): Buffer {
  let crc = 0xffffffff;
  for (const byte of section) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
  }
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc >>> 0);
  return Buffer.concat([section, sum]);
}

function section(table: number, id: number, version: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt8(table, 0);
  head.writeUInt16BE(0xb000 | (body.length + 9), 1);
  head.writeUInt16BE(id, 3);
  head.writeUInt8(0xc1 | (version << 1), 5);
  return withCrc(Buffer.concat([head, body]));
}

/** Packets with a section, however many it takes. */
function sectionPackets(pid: number, bytes: Buffer): Buffer[] {
  const whole = Buffer.concat([Buffer.alloc(1), bytes]);
  const packets: Buffer[] = [];
  for (let at = 0; at < whole.length; at += 184) {
    packets.push(tsPacket(pid, whole.subarray(at, at + 184), { isStart: at === 0 }));
  }
  return packets;
}

/** The packet of a PAT with programs and the PIDs of their PMTs. */
export function patPacket(programs: readonly (readonly [number: number, pid: number])[]): Buffer {
  const rows = programs.map(([number, pid]) =>
    Buffer.from([number >> 8, number & 0xff, 0xe0 | (pid >> 8), pid & 0xff]),
  );
  return Buffer.concat(sectionPackets(0, section(0, 1, 0, Buffer.concat(rows))));
}

/** A stream of a PMT; descriptors as bytes. */
export interface ListedStream {
  readonly type: number;
  readonly pid: number;
  readonly descriptors?: readonly number[];
}

/** The packets of a PMT. */
export function pmtPacket(pid: number, number: number, streams: readonly ListedStream[], version = 0): Buffer {
  const rows = streams.map(({ type, pid: streamPid, descriptors = [] }) =>
    Buffer.from([type, 0xe0 | (streamPid >> 8), streamPid & 0xff, 0xf0, descriptors.length, ...descriptors]),
  );
  const body = Buffer.concat([Buffer.from([0xe1, 0x00, 0xf0, 0x00]), ...rows]);
  return Buffer.concat(sectionPackets(pid, section(2, number, version, body)));
}

/** A packet in which a PES packet begins. */
export function pesPacket(pid: number, payload: readonly number[] = [], control = 0x10): Buffer {
  return tsPacket(pid, Buffer.from([0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0, ...payload]), { control });
}
