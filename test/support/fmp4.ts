import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { BoxStream } from '../../src/media/cmaf/box-stream.ts';

const run = promisify(execFile);

/** ffmpeg input options of a moving picture with a size that needs cropping. */
export const TEST_PICTURE = ['-f', 'lavfi', '-i', 'testsrc2=size=322x184:rate=25'];
/** ffmpeg input options of a tone, 48 kHz mono. */
export const TEST_TONE = ['-f', 'lavfi', '-i', 'sine=sample_rate=48000'];
/** H.264 with B-frames and a keyframe each second. */
export const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-g', '25', '-pix_fmt', 'yuv420p'];

/** Fragmented MP4 as ffmpeg writes it. */
export async function encodeFmp4(
  args: readonly string[],
  { seconds = 2, movflags = 'empty_moov+default_base_moof+frag_keyframe' } = {},
): Promise<Buffer> {
  const output = ['-t', String(seconds), '-f', 'mp4', '-movflags', movflags, 'pipe:1'];
  const options = { encoding: 'buffer', maxBuffer: 64 << 20 } as const;
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-threads', '1', ...args, ...output], options);
  return stdout;
}

/** The init and the fragments of a whole fMP4 stream. */
export function splitFmp4(stream: Buffer): { init: Buffer; fragments: Buffer[] } {
  const [init, ...fragments] = new BoxStream().push(stream);
  if (init?.type !== 'init') throw new Error('the stream does not start with an init');
  return { init: init.bytes, fragments: fragments.map(({ bytes }) => bytes) };
}

/** A generator of numbers from 0 to 2^32 - 1 that is the same in every run (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** A damaged copy: one to four bytes, a whole field or the length changed, within `[from, to)`. */
export function mutate(original: Buffer, random: () => number, from = 0, to = original.length): Buffer {
  const copy = Buffer.from(original);
  const place = (room: number): number => from + (random() % Math.max(1, to - from - room));
  switch (random() % 5) {
    case 0: {
      return copy.subarray(0, place(0));
    }
    case 1: {
      const extremes = [0, 1, 7, 8, 0x7fffffff, 0x80000000, 0xffffffff, 0x10000, random()];
      copy.writeUInt32BE(extremes[random() % extremes.length]!, place(4));
      return copy;
    }
    case 2: {
      const at = place(8);
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + (random() % 8))]);
    }
    default: {
      for (let left = 1 + (random() % 4); left > 0; left -= 1) copy[place(1)] = random() & 0xff;
      return copy;
    }
  }
}
