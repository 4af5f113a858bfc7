import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Bits of a frame's number. */
const BITS = 16;

/** One frame as it was decoded: the number drawn into it, and when it is shown, in ticks of 90 kHz. */
export interface TimecodedFrame {
  readonly number: number;
  readonly pts: number;
}

/** What to make a timecoded film of. */
export interface TimecodedFilm {
  readonly size?: string;
  /** As ffmpeg takes it, e.g. `30000/1001`. */
  readonly rate?: string;
  readonly seconds?: number;
  /** The number in the first frame. */
  readonly firstNumber?: number;
  /** Filters behind the drawing of the numbers. */
  readonly filters?: string;
  /** Options before `-i`, then of the output; the picture's encoder is libx264 ultrafast unless they name another. */
  readonly output?: readonly string[];
  /** Tones, each of one frequency and layout: `['440:stereo', '880:5.1']`; or lavfi graphs as they are. */
  readonly sounds?: readonly string[];
  /** Further inputs, e.g. `['-i', 'subtitles.sup']`. */
  readonly inputs?: readonly string[];
}

/** Writes a film whose frames have their number drawn at their foot, from zero unless told. The container is that of the file's name. */
export async function writeTimecodedFilm(file: string, film: TimecodedFilm = {}): Promise<void> {
  const {
    size = '320x180',
    rate = '24',
    seconds = 12,
    firstNumber = 0,
    filters,
    output = [],
    sounds = [],
    inputs = [],
  } = film;
  const source = `testsrc2=size=${size}:rate=${rate}:duration=${seconds}`;
  const picture = [...barcode(firstNumber), ...(filters === undefined ? [] : [filters])].join(',');
  const tones = sounds.flatMap((sound) => ['-f', 'lavfi', '-i', sound.includes('=') ? sound : tone(sound, seconds)]);
  const codec = ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '20', '-threads', '1', '-pix_fmt', 'yuv420p'];
  const maps = ['-map', '0:v', ...sounds.flatMap((_, index) => ['-map', `${index + 1}:a`])];
  await run('ffmpeg', [
    ...['-v', 'error', '-y', '-f', 'lavfi', '-i', source, ...tones, ...inputs, ...maps],
    ...['-vf', picture, '-fps_mode', 'passthrough', ...codec, '-c:a', 'aac', ...output, file],
  ]);
}

/** A sine whose pitch rises, so that every moment sounds different. */
function tone(sound: string, seconds: number): string {
  const [frequency = '440', layout = 'stereo'] = sound.split(':');
  const channels = { mono: 1, stereo: 2, '5.1': 6 }[layout] ?? 2;
  const wave = `0.4*sin(2*PI*(${frequency}*t+20*t*t))`;
  return `aevalsrc=exprs=${Array(channels).fill(wave).join('|')}:c=${layout}:s=48000:d=${seconds}`;
}

function barcode(firstNumber: number): string[] {
  const foot = `drawbox=x=0:y=ih*7/8:w=iw:h=ih/8:color=black:t=fill`;
  const bars = Array.from({ length: BITS }, (_, bit) => {
    const place = `x=${bit}*iw/${BITS}:y=ih*7/8:w=iw/${BITS}:h=ih/8`;
    return `drawbox=${place}:color=white:t=fill:enable='mod(floor((n+${firstNumber})/${2 ** bit}),2)'`;
  });
  return [foot, ...bars];
}

/**
 * Decodes a film from end to end and reads the number in each frame; `pts` is what the decoder tells, or counts from
 * `startTicks`.
 * @param media the whole file, or where it is.
 */
export async function readTimecodes(media: Buffer | string, startTicks = 0): Promise<TimecodedFrame[]> {
  if (typeof media === 'string') return decode(media, startTicks);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-timecode-'));
  try {
    const file = path.join(folder, 'media.mp4');
    await writeFile(file, media);
    return await decode(file, startTicks);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function decode(file: string, startTicks: number): Promise<TimecodedFrame[]> {
  const strip = `crop=iw:ih/16:0:ih*29/32,scale=${BITS}:1:flags=area,format=gray,settb=1/90000,showinfo`;
  const { stdout, stderr } = await run(
    'ffmpeg',
    [
      '-hide_banner',
      '-nostats',
      '-copyts',
      '-i',
      file,
      '-map',
      '0:v:0',
      '-vf',
      strip,
      '-fps_mode',
      'passthrough',
    ].concat(['-f', 'rawvideo', 'pipe:1']),
    { encoding: 'buffer', maxBuffer: 64 << 20 },
  );
  const times = [...stderr.toString().matchAll(/ n: *\d+ pts: *(-?\d+)/g)].map(([, pts]) => Number(pts));
  if (times.length * BITS !== stdout.length)
    throw new Error(`${times.length} times for ${stdout.length} bytes of pictures`);
  return times.map((pts, frame) => {
    const bits = [...stdout.subarray(frame * BITS, (frame + 1) * BITS)].map((level) => Number(level > 110));
    return { number: bits.reduce((sum, bit, index) => sum + bit * 2 ** index, 0), pts: pts - startTicks };
  });
}
