import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import type { MediaSource } from '../../src/vod/source/media-source.ts';
import type { ByteSource } from '../../src/util/byte-source.ts';

const run = promisify(execFile);

/** A small film of 24 frames a second in H.264: 320x180, silent, with B-frames. */
export const PICTURE = ['-f', 'lavfi', '-i', 'testsrc2=320x180:rate=24'] as const;
/** A tone. */
export const SOUND = ['-f', 'lavfi', '-i', 'sine=sample_rate=48000'] as const;
/** Closed groups of two seconds. */
export const H264 = [
  ...['-pix_fmt', 'yuv420p', '-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-g', '48'],
  ...['-x264-params', 'scenecut=0'],
] as const;

/** A folder that goes with the test; answered with symlinks resolved. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-films-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs ffmpeg in a folder; answers the absolute path of the last argument, which it wrote. */
export async function film(folder: string, ...args: readonly string[]): Promise<string> {
  await run('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...args], { cwd: folder });
  return path.join(folder, args.at(-1) ?? '');
}

/** A source that counts who uses it. */
export interface CountedSource extends MediaSource {
  /** Times that something was opened, and what is open now. */
  readonly uses: { inputs: number; openInputs: number; readers: number; openReaders: number; bytesRead: number };
}

/** A file as a source; as one on a web server, nothing reads all of its packets. */
export async function sourceOf(file: string, kind: MediaSource['kind'] = 'file'): Promise<CountedSource> {
  const { size, mtimeMs } = await stat(file);
  const uses = { inputs: 0, openInputs: 0, readers: 0, openReaders: 0, bytesRead: 0 };
  return {
    ...{ kind, label: path.basename(file), identity: `${file}|${size}|${mtimeMs}`, sizeBytes: size, uses },
    ...(kind === 'file' && { path: file }),
    openInput: () => {
      uses.inputs += 1;
      uses.openInputs += 1;
      const options = ['-protocol_whitelist', 'file'];
      return Promise.resolve({ url: `file:${file}`, options, release: () => (uses.openInputs -= 1) });
    },
    openBytes: async () => {
      uses.readers += 1;
      uses.openReaders += 1;
      const bytes = await bytesOf(file);
      return {
        sizeBytes: bytes.sizeBytes,
        read: (offset, length) => {
          uses.bytesRead += length;
          return bytes.read(offset, length);
        },
        close: () => {
          uses.openReaders -= 1;
          return bytes.close();
        },
      };
    },
  };
}

/** The bytes of a file. */
export async function bytesOf(file: string): Promise<ByteSource> {
  const handle = await open(file);
  const { size } = await handle.stat();
  return {
    sizeBytes: size,
    read: async (offset, length) => {
      const buffer = Buffer.alloc(length);
      const { bytesRead } = await handle.read(buffer, 0, length, offset);
      return buffer.subarray(0, bytesRead);
    },
    close: () => handle.close(),
  };
}

/** Bytes in memory; reading beyond them is a mistake of whoever reads. */
export function bytesIn(buffer: Buffer): ByteSource {
  return {
    sizeBytes: buffer.length,
    read: (offset, length) => {
      const fits = Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && offset + length <= buffer.length;
      if (!fits) return Promise.reject(new RangeError(`${length} bytes at ${offset} of ${buffer.length}`));
      return Promise.resolve(buffer.subarray(offset, offset + length));
    },
    close: () => Promise.resolve(),
  };
}
