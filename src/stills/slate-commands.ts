import { LADDER_TIMESCALE, type TrackInit } from '../media/fragment.ts';
import type { SlatePicture } from '../media/slate.ts';
import type { StillRun } from './still-renderer.ts';

/** Decoders are kept from pictures larger than 8K. */
const INPUT_OPTIONS = [
  ...['-hide_banner', '-loglevel', 'error', '-nostats', '-threads', '1', '-max_pixels', String(8192 * 4352)],
];
const FRAGMENTS = ['-f', 'mp4', '-movflags', 'empty_moov+default_base_moof+frag_every_frame'];

/** Size of a picture whose init tells none. */
const DEFAULT_SIZE = { width: 1280, height: 720 };
const MAX_FRAME_RATE = 120;
/** Room for a noisy 8K picture. */
const MAX_VIDEO_BYTES = 48 * 1024 * 1024;
const MAX_AUDIO_BYTES = 1024 * 1024;

/** Channel counts that ffmpeg's encoder has a layout for; others become stereo. */
const AAC_CHANNELS = new Set([1, 2, 3, 4, 5, 6, 8]);
const SILENCE_SECONDS = 1;
const BYTES_PER_SAMPLE = 2;

/** What the picture of a slate is made from. */
export interface StillInput {
  /** ffmpeg's options for `bytes`. */
  readonly options: readonly string[];
  readonly bytes: readonly Buffer[];
  /** True if the picture comes from somewhere else than the source. */
  readonly foreign: boolean;
}

/** Frames per second that a slate for this picture has. */
export function slateFrameRate({ frameRate }: SlatePicture): number {
  return Math.min(MAX_FRAME_RATE, Math.max(1, frameRate));
}

/** The source's own picture, or a black one of its size if there is none. */
export function sourceInput({ init, keyframe }: SlatePicture): StillInput {
  if (keyframe !== undefined) {
    const options = ['-probesize', '32', '-analyzeduration', '0', '-f', 'mp4'];
    return { options, bytes: [keyframe.init.bytes, keyframe.bytes], foreign: false };
  }
  const { width, height } = sizeOf(init);
  const black = Buffer.alloc((width * height * 3) / 2, 128).fill(16, 0, width * height);
  const options = ['-f', 'rawvideo', '-pixel_format', 'yuv420p', '-video_size', `${width}x${height}`];
  return { options, bytes: [black], foreign: true };
}

/** Encodes `frames` times the first picture of the input as H.264: a keyframe, then frames without B-frames. */
export function stillVideo(picture: SlatePicture, { options, bytes, foreign }: StillInput, frames: number): StillRun {
  const { width, height } = sizeOf(picture.init);
  const rate = slateFrameRate(picture);
  const colours = foreign ? ':out_color_matrix=bt709' : '';
  const filters = [
    `scale=${width}:${height}:force_original_aspect_ratio=decrease:force_divisible_by=2:out_range=tv${colours}`,
    `pad=${width}:${height}:(ow-iw)/2:(oh-ih)/2`,
    ...(foreign ? ['setsar=1'] : []),
    'format=yuv420p',
    'loop=loop=-1:size=1',
    `setpts=N/(${rate}*TB)`,
    `fps=${rate}`,
  ];
  const bt709 = ['-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709'];
  const encoder = [
    ...['-c:v', 'libx264', '-preset', 'superfast', '-tune', 'zerolatency', '-crf', '21', '-threads', '1'],
    ...['-profile:v', profileOf(picture.init), '-bf', '0', '-sc_threshold', '0', ...(foreign ? bt709 : [])],
    ...['-g', String(frames), '-keyint_min', String(frames), '-video_track_timescale', String(LADDER_TIMESCALE)],
  ];
  return {
    commandLine: {
      input: [...INPUT_OPTIONS, ...options],
      output: ['-an', '-vf', filters.join(','), '-frames:v', String(frames), ...encoder, ...FRAGMENTS],
    },
    input: bytes,
    maxOutputBytes: MAX_VIDEO_BYTES,
  };
}

/** Encodes a second of silence that decoders take for the same sound as the source's, Opus or AAC-LC. */
export function silentAudio({ codec, sampleRate = 48_000, channels: sourceChannels = 2 }: TrackInit): StillRun {
  const channels = AAC_CHANNELS.has(sourceChannels) ? sourceChannels : 2;
  const encoder = codec === 'opus' ? 'libopus' : 'aac';
  const sound = ['-ar', String(sampleRate), '-ac', String(channels)];
  return {
    commandLine: {
      input: [...INPUT_OPTIONS, '-f', 's16le', ...sound],
      output: ['-c:a', encoder, '-b:a', `${32 * channels}k`, ...FRAGMENTS],
    },
    input: [Buffer.alloc(SILENCE_SECONDS * sampleRate * channels * BYTES_PER_SAMPLE)],
    maxOutputBytes: MAX_AUDIO_BYTES,
  };
}

function sizeOf({ width = DEFAULT_SIZE.width, height = DEFAULT_SIZE.height }: TrackInit): typeof DEFAULT_SIZE {
  const even = (pixels: number): number => Math.max(2, pixels - (pixels % 2));
  return { width: even(width), height: even(height) };
}

/** Decoders that were set up for the source's profile can go on with the slate's. */
function profileOf({ codec }: TrackInit): 'baseline' | 'main' | 'high' {
  if (codec.startsWith('avc1.42')) return 'baseline';
  return codec.startsWith('avc1.4d') ? 'main' : 'high';
}
