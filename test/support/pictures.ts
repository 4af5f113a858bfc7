import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import type { Keyframe } from '../../src/stills/keyframe.ts';
import { videoSource } from './transcode-source.ts';

/** A decoded picture. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Red, green and blue of a pixel, 0 to 255. */
  at(x: number, y: number): [number, number, number];
}

/** Decodes a JPEG; fails unless it is a whole one. */
export function decodeJpeg(jpeg: Buffer): Promise<Picture> {
  return decodePicture(jpeg, ['-xerror', '-f', 'jpeg_pipe']);
}

/** The first picture of an MP4, scaled to a size. */
export function firstPicture(media: Buffer, { width, height }: Pick<Picture, 'width' | 'height'>): Promise<Picture> {
  return decodePicture(media, ['-f', 'mp4'], ['-vf', `scale=${width}:${height}`]);
}

async function decodePicture(
  bytes: Buffer,
  input: readonly string[],
  filter: readonly string[] = [],
): Promise<Picture> {
  const output = [...filter, '-frames:v', '1', '-f', 'image2pipe', '-c:v', 'ppm', 'pipe:1'];
  const args = ['-v', 'error', ...input, '-i', 'pipe:0', ...output];
  const decoder = spawn('ffmpeg', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  // It takes no more than it needs for one picture.
  decoder.stdin.on('error', () => undefined).end(bytes);
  const [ppm] = await Promise.all([buffer(decoder.stdout), once(decoder, 'exit')]);
  const header = /^P6\n(\d+) (\d+)\n255\n/.exec(ppm.subarray(0, 40).toString('latin1'));
  if (header === null) throw new Error(`there is no picture in ${bytes.length} bytes`);
  const width = Number(header[1]);
  const pixels = ppm.subarray(header[0].length);
  return {
    ...{ width, height: Number(header[2]) },
    at: (x, y) => [...pixels.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)] as [number, number, number],
  };
}

/** Mean difference of a picture from what another shows at a place, 0 to 255. */
export function difference(a: Picture, b: Picture, { atX = 0, atY = 0 }: { atX?: number; atY?: number } = {}): number {
  let sum = 0;
  for (let y = 0; y < b.height; y += 1) {
    for (let x = 0; x < b.width; x += 1) {
      const other = b.at(x, y);
      a.at(atX + x, atY + y).forEach((value, channel) => (sum += Math.abs(value - other[channel]!)));
    }
  }
  return sum / (b.width * b.height * 3);
}

/** Media of one keyframe. */
export interface KeyframeMedia {
  readonly init: Buffer;
  readonly fragment: Buffer;
}

/** Keyframes of one colour each (0xRRGGBB), with one init, as a rung of 30 frames a second has them. */
export async function colourKeyframes(
  colours: readonly number[],
  { size = '320x180', encoder }: { size?: string; encoder?: readonly string[] } = {},
): Promise<KeyframeMedia[]> {
  const channel = (shift: number): string =>
    colours.map((colour, index) => `eq(N,${index})*${(colour >> shift) & 0xff}`).join('+');
  const paint = `format=gbrp,geq=r='${channel(16)}':g='${channel(8)}':b='${channel(0)}'`;
  const tagged = `${paint},scale=out_color_matrix=bt709,format=yuv420p,setparams=colorspace=bt709`;
  const { init, fragments } = await videoSource({
    ...{ size, rate: 30, seconds: colours.length / 30, gop: 1, startS: 0, filter: tagged },
    ...(encoder !== undefined && { encoder }),
  });
  return fragments.map(({ bytes }) => ({ init: init.bytes, fragment: bytes }));
}

/** Keyframes as a packager lists them: segments of `durationMs`, one after the other. */
export function listKeyframes(
  media: readonly KeyframeMedia[],
  { msn = 7, startMs = 0, durationMs = 10_000 }: { msn?: number; startMs?: number; durationMs?: number } = {},
): Keyframe[] {
  return media.map(({ init, fragment }, index) => ({
    ...{ msn: msn + index, programDateTimeMs: startMs + index * durationMs, durationMs, init },
    read: () => Promise.resolve(fragment),
  }));
}

/** How far the channel that differs most is from that of a colour (0xRRGGBB). */
export function colourDistance(pixel: readonly [number, number, number], colour: number): number {
  return Math.max(...pixel.map((value, index) => Math.abs(value - ((colour >> (16 - 8 * index)) & 0xff))));
}

/** The same boxes around bytes that mean nothing. */
export function noisy(fragment: Buffer): Buffer {
  const copy = Buffer.from(fragment);
  return copy.fill(0xa5, copy.indexOf('mdat') + 4);
}
