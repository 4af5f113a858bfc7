import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { writeTimecodedFilm } from '../timecode.ts';

const run = promisify(execFile);

/** What to make. */
export interface MadeOptions {
  readonly container?: 'ts' | 'fmp4';
  readonly seconds?: number;
  /** The distance of keyframes too. */
  readonly segmentSeconds?: number;
  readonly size?: string;
  /** Frames a second. */
  readonly rate?: number;
  /** Hz of the tone (it rises slowly); false for a silent picture. */
  readonly audio?: number | false;
  /** False for sound alone. */
  readonly video?: boolean;
  readonly bFrames?: number;
  /** The first presentation time. */
  readonly startS?: number;
  /** The number drawn into the first frame: see `readTimecodes`. */
  readonly firstNumber?: number;
  /** Further options of ffmpeg's output. */
  readonly output?: readonly string[];
}

/** A segment in clear. */
export interface MadeSegment {
  readonly bytes: Buffer;
  readonly durationMs: number;
  /** Of fragmented MP4. */
  readonly init?: Buffer;
}

/** Segments that ffmpeg wrote. */
export interface MadeMedia {
  readonly segments: readonly MadeSegment[];
  readonly extension: 'ts' | 'm4s';
  /** RFC 6381. */
  readonly codecs: string;
  /** Undefined without a picture. */
  readonly size: string | undefined;
  readonly rate: number;
  readonly bitsPerSecond: number;
}

const made = new Map<string, Promise<MadeMedia>>();

/** Encodes a timecoded picture and a tone in segments; equal media are made once for each test file. */
export function makeMedia(options: MadeOptions = {}): Promise<MadeMedia> {
  const key = JSON.stringify(options);
  const media = made.get(key) ?? make(options);
  made.set(key, media);
  return media;
}

async function make(options: MadeOptions): Promise<MadeMedia> {
  const { container = 'ts', seconds = 12, segmentSeconds = 1, size = '320x180', rate = 25 } = options;
  const { audio = 440, video = true, bFrames = 2, startS = 10, firstNumber = 0, output = [] } = options;
  const folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-made-'));
  const gop = Math.round(rate * segmentSeconds);
  const args = [
    ...(video ? ['-bf', `${bFrames}`, '-g', `${gop}`, '-keyint_min', `${gop}`, '-sc_threshold', '0'] : []),
    ...['-b:a', '64k', '-output_ts_offset', `${startS}`, '-muxdelay', '0', '-muxpreload', '0', '-f', 'hls'],
    ...['-hls_time', `${segmentSeconds}`, '-hls_list_size', '0', '-hls_playlist_type', 'vod'],
    ...['-hls_segment_type', container === 'ts' ? 'mpegts' : 'fmp4'],
    ...['-hls_segment_filename', path.join(folder, 'segment-%05d'), ...output],
  ];
  const list = path.join(folder, 'index.m3u8');
  try {
    if (video) {
      const sounds = audio === false ? [] : [`${audio}:stereo`];
      await writeTimecodedFilm(list, { size, rate: `${rate}`, seconds, firstNumber, sounds, output: args });
    } else {
      const tone = `sine=frequency=${audio || 440}:sample_rate=48000:duration=${seconds}`;
      await run('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', tone, '-ac', '2', '-c:a', 'aac', ...args, list]);
    }
    const lines = (await readFile(list, 'utf8')).split('\n');
    const durationsMs = lines.flatMap((line) => /^#EXTINF:([\d.]+)/.exec(line)?.slice(1).map(Number) ?? []);
    const init = container === 'fmp4' ? await readFile(path.join(folder, 'init.mp4')) : undefined;
    const names = lines.filter((line) => line.startsWith('segment-'));
    const segments = await Promise.all(
      names.map(async (name, index) => ({
        ...{ bytes: await readFile(path.join(folder, name)), durationMs: durationsMs[index]! * 1_000 },
        ...(init !== undefined && { init }),
      })),
    );
    const bytes = segments.reduce((sum, segment) => sum + segment.bytes.length, 0);
    return {
      ...{ segments, rate, extension: container === 'ts' ? 'ts' : 'm4s', size: video ? size : undefined },
      codecs: codecsOf(init ?? segments[0]!.bytes, video, audio !== false || !video),
      bitsPerSecond: Math.round((bytes * 8) / seconds),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Profile, constraints and level stand behind the head of a parameter set, and at the begin of an avcC box. */
function codecsOf(bytes: Buffer, video: boolean, audio: boolean): string {
  const inBox = bytes.indexOf('avcC') + 5;
  const at = inBox > 4 ? inBox : bytes.indexOf(Buffer.from([0, 0, 1, 0x67])) + 4;
  const avc = `avc1.${bytes.subarray(at, at + 3).toString('hex')}`;
  return [...(video ? [avc] : []), ...(audio ? ['mp4a.40.2'] : [])].join(',');
}
