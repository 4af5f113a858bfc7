import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Frames of one track, an fMP4 fragment each, that can be played again and again. */
export interface CheckMedia {
  readonly init: Buffer;
  readonly fragments: readonly Buffer[];
  readonly timescale: number;
  /** Of a frame, in units of the timescale. */
  readonly frameTicks: number;
}

/** What the frames are of. */
export interface CheckMediaSpec {
  readonly input: string;
  readonly codec: readonly string[];
  readonly frames: number;
  readonly timescale: number;
  readonly frameTicks: number;
}

/** The smaller and the larger picture, and the sound, of the stream that checks are tested with; 8 s each. */
export const CHECK_MEDIA = {
  lo: picture('64x36', 20),
  hi: picture('128x72', 120),
  audio: {
    input: 'sine=frequency=440:sample_rate=48000',
    codec: ['-c:a', 'aac', '-b:a', '32k', '-ac', '1'],
    frames: 375,
    timescale: 48_000,
    frameTicks: 1_024,
  },
} satisfies Record<string, CheckMediaSpec>;

function picture(size: string, kbps: number): CheckMediaSpec {
  const codec = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '24', '-sc_threshold', '0'];
  const rate = ['-b:v', `${kbps}k`, '-maxrate', `${kbps}k`, '-bufsize', `${kbps}k`, '-video_track_timescale', '24000'];
  const fields = { frames: 192, timescale: 24_000, frameTicks: 1_000 };
  return { input: `testsrc2=size=${size}:rate=24`, codec: [...codec, ...rate], ...fields };
}

/** Makes the media with a real encoder. */
export async function makeCheckMedia({
  input,
  codec,
  frames,
  timescale,
  frameTicks,
}: CheckMediaSpec): Promise<CheckMedia> {
  const { stdout } = await run(
    process.env['LADDERCAST_FFMPEG'] ?? 'ffmpeg',
    [
      ...['-v', 'error', '-threads', '1', '-f', 'lavfi', '-i', input, '-t', '9', ...codec, '-use_editlist', '0'],
      ...['-movflags', 'frag_every_frame+empty_moov+default_base_moof', '-f', 'mp4', 'pipe:1'],
    ],
    { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 },
  );
  const boxes = topBoxes(stdout);
  const init = Buffer.concat(boxes.filter(({ type }) => type === 'ftyp' || type === 'moov').map(({ bytes }) => bytes));
  const moofs = boxes.filter(({ type }) => type === 'moof');
  const mdats = boxes.filter(({ type }) => type === 'mdat');
  const fragments = moofs.slice(0, frames).map(({ bytes }, index) => Buffer.concat([bytes, mdats[index]!.bytes]));
  if (fragments.length < frames) throw new Error(`ffmpeg made ${fragments.length} fragments of ${frames}`);
  return { init, fragments, timescale, frameTicks };
}

/** A fragment with another decode time. */
export function withDecodeTime(fragment: Buffer, ticks: number): Buffer {
  const copy = Buffer.from(fragment);
  const at = copy.indexOf('tfdt');
  if (copy[at + 4] === 1) copy.writeBigUInt64BE(BigInt(ticks), at + 8);
  else copy.writeUInt32BE(ticks, at + 8);
  return copy;
}

function topBoxes(data: Buffer): { type: string; bytes: Buffer }[] {
  const boxes: { type: string; bytes: Buffer }[] = [];
  for (let at = 0; at < data.length;) {
    const size = data.readUInt32BE(at);
    boxes.push({ type: data.toString('latin1', at + 4, at + 8), bytes: data.subarray(at, at + size) });
    at += size;
  }
  return boxes;
}
