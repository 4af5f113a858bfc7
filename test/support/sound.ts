import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** How far one sound is from another: the largest and the mean (root of squares) difference; full scale is 1. */
export interface SoundError {
  readonly max: number;
  readonly rms: number;
}

/**
 * Decodes the first channel of a sound at 48 kHz; the first sample is that of `startSeconds` on the media's own clock.
 * @param media the whole file, or where it is.
 */
export async function decodeSound(media: Buffer | string, startSeconds: number, track = 0): Promise<Float32Array> {
  if (typeof media === 'string') return decode(media, startSeconds, track);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-sound-'));
  try {
    const file = path.join(folder, 'media.mp4');
    await writeFile(file, media);
    return await decode(file, startSeconds, track);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function decode(file: string, startSeconds: number, track: number): Promise<Float32Array> {
  const first = Math.round(startSeconds * 48_000);
  const filters = `pan=mono|c0=c0,aresample=48000,aresample=async=1:first_pts=${first}`;
  const { stdout } = await run(
    'ffmpeg',
    ['-v', 'error', '-copyts', '-i', file, '-map', `0:a:${track}`, '-af', filters, '-f', 'f32le', 'pipe:1'],
    { encoding: 'buffer', maxBuffer: 256 << 20 },
  );
  return new Float32Array(stdout.buffer.slice(stdout.byteOffset, stdout.byteOffset + (stdout.length & ~3)));
}

/** Compares two sounds from one time until another, in seconds. */
export function soundError(a: Float32Array, b: Float32Array, fromS: number, untilS: number): SoundError {
  let [max, sum] = [0, 0];
  const [from, until] = [Math.round(fromS * 48_000), Math.round(untilS * 48_000)];
  for (let at = from; at < until; at += 1) {
    const error = Math.abs((a[at] ?? 9) - (b[at] ?? 9));
    max = Math.max(max, error);
    sum += error * error;
  }
  return { max, rms: Math.sqrt(sum / (until - from)) };
}
