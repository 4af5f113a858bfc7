import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { BoxStream } from '../../src/media/cmaf/box-stream.ts';
import { readFragment } from '../../src/media/cmaf/fragment-reader.ts';
import { readTrackInit } from '../../src/media/cmaf/init-reader.ts';
import type { Fragment, TrackInit } from '../../src/media/fragment.ts';

const run = promisify(execFile);

/** Real media as a publisher would have brought it: one fragment per frame. */
export interface SourceMedia {
  readonly init: TrackInit;
  readonly fragments: readonly Fragment[];
}

interface VideoOptions {
  readonly size?: string;
  readonly rate?: number;
  readonly seconds?: number;
  /** Frames from keyframe to keyframe. */
  readonly gop?: number;
  /** First presentation time in seconds. */
  readonly startS?: number;
  readonly epoch?: number;
  readonly encoder?: readonly string[];
  readonly filter?: string;
}

/** Encodes a moving test picture, by default as OBS does without B-frames. */
export async function videoSource(options: VideoOptions = {}): Promise<SourceMedia> {
  const { size = '640x360', rate = 30, seconds = 3, gop = 30, startS = 1_000, epoch = 0, filter = 'null' } = options;
  const encoder = options.encoder ?? ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '0', '-pix_fmt', 'yuv420p'];
  const input = ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${rate}:duration=${seconds}`];
  const keyframes = ['-g', `${gop}`, '-keyint_min', `${gop}`, '-sc_threshold', '0'];
  const picture = ['-vf', `${filter},setpts=PTS+${startS}/TB`, '-video_track_timescale', '90000'];
  return media([...input, ...encoder, ...keyframes, ...picture], epoch);
}

/** Encodes a tone. */
export async function audioSource(codec: 'aac' | 'libopus', channels = 2, seconds = 3): Promise<SourceMedia> {
  const input = ['-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${seconds}`];
  return media([...input, '-ac', `${channels}`, '-c:a', codec], 0);
}

async function media(args: readonly string[], epoch: number): Promise<SourceMedia> {
  const output = ['-copyts', '-avoid_negative_ts', 'disabled', '-f', 'mp4', '-movflags', MOVFLAGS, 'pipe:1'];
  const { stdout } = await run('ffmpeg', ['-hide_banner', '-loglevel', 'error', ...args, ...output], {
    ...{ encoding: 'buffer', maxBuffer: 256 * 1024 * 1024 },
  });
  const items = new BoxStream().push(stdout);
  const init = readTrackInit(items.find(({ type }) => type === 'init')!.bytes);
  const fragments = items
    .filter(({ type, bytes }) => type === 'fragment' && !startsBeforeZero(bytes))
    .flatMap(({ bytes }) => readFragment(bytes, init, { epoch, ingestedAtMs: 0 }) ?? []);
  return { init, fragments };
}

const MOVFLAGS = 'empty_moov+default_base_moof+frag_every_frame+frag_discont';

function startsBeforeZero(fragment: Buffer): boolean {
  return (fragment[fragment.indexOf('tfdt') + 8] ?? 0) >= 0x80;
}

/** Presentation times, in ticks. */
export function ptsOf(fragments: readonly Fragment[]): number[] {
  return fragments.map(({ firstPts }) => firstPts);
}

/** Presentation times of the keyframes, in ticks. */
export function keyframesOf(fragments: readonly Fragment[]): number[] {
  return ptsOf(fragments.filter(({ keyframe }) => keyframe));
}
