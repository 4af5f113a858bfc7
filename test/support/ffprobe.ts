import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A packet as ffprobe reads it; times in seconds. */
export interface ProbedPacket {
  readonly ptsS: number;
  readonly dtsS: number;
  readonly keyframe: boolean;
}

/** A decoded stream's facts. */
export interface ProbedStream {
  readonly codec: string;
  readonly profile: string;
  readonly level: number;
  readonly width: number;
  readonly height: number;
  readonly hasBFrames: number;
}

async function withFile<T>(media: Buffer, use: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-probe-'));
  try {
    const file = path.join(folder, 'media.mp4');
    await writeFile(file, media);
    return await use(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function ffprobe(file: string, args: readonly string[]): Promise<Record<string, Record<string, string>[]>> {
  const { stdout } = await run('ffprobe', ['-v', 'error', '-of', 'json', ...args, file], { maxBuffer: 64 << 20 });
  return JSON.parse(stdout) as Record<string, Record<string, string>[]>;
}

/** Every packet of an MP4 with one track, in decode order. */
export function probePackets(media: Buffer): Promise<ProbedPacket[]> {
  return withFile(media, async (file) => {
    const { packets = [] } = await ffprobe(file, ['-show_entries', 'packet=pts_time,dts_time,flags']);
    return packets.map((packet) => ({
      ptsS: Number(packet['pts_time']),
      dtsS: Number(packet['dts_time']),
      keyframe: packet['flags']?.startsWith('K') ?? false,
    }));
  });
}

/** The facts of an MP4's only track. */
export function probeStream(media: Buffer): Promise<ProbedStream> {
  return withFile(media, async (file) => {
    const { streams = [] } = await ffprobe(file, ['-show_streams']);
    const stream = streams[0] ?? {};
    return {
      codec: stream['codec_name'] ?? '',
      profile: stream['profile'] ?? '',
      level: Number(stream['level']),
      width: Number(stream['width']),
      height: Number(stream['height']),
      hasBFrames: Number(stream['has_b_frames']),
    };
  });
}

/** What a decoder complains about when it reads an MP4 from end to end; empty if nothing. */
export function decodeErrors(media: Buffer): Promise<string> {
  return withFile(media, async (file) => {
    // Frames keep their own times: a variable frame rate is no fault of the stream.
    const asTheyAre = ['-fps_mode', 'passthrough', '-enc_time_base', '1:90000'];
    const { stderr } = await run('ffmpeg', ['-v', 'warning', '-i', file, ...asTheyAre, '-f', 'null', '-']);
    return stderr.trim();
  });
}
