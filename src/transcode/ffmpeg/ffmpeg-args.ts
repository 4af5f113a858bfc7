import type { RenditionSpec } from '../../ladder/rendition.ts';
import { LADDER_TIMESCALE, type TrackInit } from '../../media/fragment.ts';
import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import type { FfmpegCommandLine } from '../../ffmpeg/ffmpeg-child.ts';
import { OptionList } from '../../ffmpeg/option-list.ts';
import { h264Level } from './h264-level.ts';
import { fittedSize, frameFilter, planFrames, scaleFilter } from './rung-geometry.ts';
import type { VideoEncoder } from './video-encoders.ts';

/** What a video rung is made from. */
export interface VideoCommand {
  readonly binary: FfmpegBinary;
  readonly spec: RenditionSpec;
  readonly init: TrackInit;
  readonly encoder: VideoEncoder;
}

/** Share of the target bitrate that peaks may have, over a decoder buffer of one second. */
const PEAK_FACTOR = 1.25;
/** Bits per pixel of a rung that names no bitrate. */
const DEFAULT_BITS_PER_PIXEL = 0.09;
const DEFAULT_AUDIO_KBPS = 128;
const OPUS_SAMPLE_RATE = 48_000;
const MOVFLAGS = 'empty_moov+default_base_moof+frag_every_frame+frag_discont';

/**
 * Options of a child that encodes a video rung frame by frame. Every frame keeps its presentation time exactly, and
 * keyframes are those of the source plus one each two seconds between them.
 */
export function videoCommandLine({ binary, spec, init, encoder }: VideoCommand): FfmpegCommandLine {
  const plan = planFrames(spec, init);
  const size = fittedSize(spec, init);
  const kbps = spec.videoBitrateKbps ?? defaultKbps(size.width * size.height * plan.frameRate);
  const maxKbps = Math.round(kbps * PEAK_FACTOR);
  const profile = spec.profile ?? 'high';
  const level = h264Level({ ...size, ...{ frameRate: plan.frameRate, maxKbps, bufferKbit: maxKbps, profile } });
  const filters = [frameFilter(plan), scaleFilter(spec), encoder.upload].filter((filter) => filter !== undefined);
  // One decoder thread: frame threading would hold frames back.
  const input = inputOptions().options(encoder.deviceOptions).option('threads', 1).option('f', 'mp4');
  const output = new OptionList()
    .flag('copyts')
    .option('map', '0:v:0')
    .option('vf', filters.join(','))
    .option('c:v', encoder.name)
    .options(encoder.options(spec))
    .option('profile:v', encoder.name === 'libx264' || profile !== 'baseline' ? profile : 'constrained_baseline')
    .option('level:v', level)
    .option('b:v', `${kbps}k`)
    .option('maxrate', `${maxKbps}k`)
    .option('bufsize', `${maxKbps}k`)
    .option('g', plan.gopFrames)
    .option('force_key_frames', 'source')
    .option('fps_mode', 'passthrough')
    .option('enc_time_base', binary.major >= 7 ? 'demux' : -1)
    .option('video_track_timescale', LADDER_TIMESCALE);
  return { input: input.toArray(), output: toFragments(output).toArray() };
}

/** Options of a child that encodes a track's audio to AAC, at most two channels. */
export function audioCommandLine(spec: RenditionSpec, init: TrackInit): FfmpegCommandLine {
  const output = new OptionList()
    .flag('copyts')
    .option('map', '0:a:0')
    .option('c:a', 'aac')
    .option('b:a', `${spec.audioBitrateKbps ?? DEFAULT_AUDIO_KBPS}k`);
  if ((init.channels ?? 2) > 2) output.option('ac', 2);
  if (init.codec === 'opus') output.option('ar', OPUS_SAMPLE_RATE);
  return { input: inputOptions().option('f', 'mp4').toArray(), output: toFragments(output).toArray() };
}

function inputOptions(): OptionList {
  return new OptionList()
    .flag('hide_banner')
    .option('loglevel', 'warning')
    .flag('nostats')
    .option('probesize', 32)
    .option('analyzeduration', 0);
}

/** One fragment per frame, with the times that the frames have. */
function toFragments(options: OptionList): OptionList {
  return options
    .option('avoid_negative_ts', 'disabled')
    .option('f', 'mp4')
    .option('movflags', MOVFLAGS)
    .option('flush_packets', 1);
}

function defaultKbps(pixelsPerSecond: number): number {
  return Math.max(64, Math.round((pixelsPerSecond * DEFAULT_BITS_PER_PIXEL) / 1000));
}
