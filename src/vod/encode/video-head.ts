import { OptionList } from '../../ffmpeg/option-list.ts';
import type { RenditionSpec } from '../../ladder/rendition.ts';
import { LADDER_TIMESCALE } from '../../media/fragment.ts';
import { h264Level, type LevelDemand } from '../../transcode/ffmpeg/h264-level.ts';
import { SOFTWARE_ENCODER, type VideoEncoder } from '../../transcode/ffmpeg/video-encoders.ts';
import type { Title, VideoFacts } from '../source/title.ts';
import type { VodVideo } from '../vod-rendition.ts';
import { type HeadCommand, headCommandOf, inputOptions, justBefore, toFragments } from './head-time.ts';
import { rateControl } from './rate-control.ts';
import { keyframeAfter, seekPoint } from './seek-point.ts';
import { BOUNDARY_TOLERANCE_TICKS, type SegmentRange } from './segment-range.ts';
import { leadTicks, pictureOptions } from './video-filters.ts';

/** libx264's constant quality; the bitrate's cap holds where this would need more. */
const CRF = 23;
const DEFAULT_PRESET = 'veryfast';
/** A fragment starts at each keyframe, with the times that the frames have. */
const MOVFLAGS = 'frag_keyframe+cmaf+frag_discont';
/** Fragments are short: a segment is known to be complete only when the next one's first fragment has come. */
const FRAGMENTS = Object.freeze({ frag_duration: 100_000, video_track_timescale: LADDER_TIMESCALE });
/** More frames than a head has. */
const ENDLESS_GOP = 1_000_000;
/** Frames that may be missing at the start of a head that reads a playlist before it reads from further back. */
const LATE_FRAMES = 2;
/** First bytes of the codec string, as the encoders write them. */
const PROFILE_BYTES = { high: '6400', main: '4d40', baseline: '42c0' } as const;

/** What a head of the picture makes. */
export interface VideoHeadRequest extends SegmentRange {
  readonly title: Title;
  readonly video: VideoFacts;
  readonly rendition: VodVideo;
  /** Seeks further back than the index says. */
  readonly careful: boolean;
}

/** Options of a child that encodes segments of the picture, with a keyframe at the start of each and nowhere else. */
export function encodeCommand(request: VideoHeadRequest): HeadCommand {
  const { title, video, rendition, first, end, careful } = request;
  const { spec, encoder } = rendition;
  if (spec === undefined || encoder === undefined) throw new TypeError(`${rendition.name} names no encoder`);
  const at = (segment: number): number => title.plan.boundaries[segment] ?? Infinity;
  const keyframes = Array.from({ length: end - first }, (_, index) => justBefore(title, at(first + index)));
  const seek = seekPoint(title, at(first) - leadTicks(video, rendition), careful);
  const input = inputOptions().options(encoder.deviceOptions);
  const output = new OptionList()
    .flag('copyts')
    .options(pictureOptions(title, video, rendition, [at(first), at(end)]))
    .options({ fps_mode: 'passthrough', enc_time_base: `1:${LADDER_TIMESCALE}` })
    .option('c:v', encoder.name)
    .options(encoderOptions(spec, encoder, rendition))
    .option('force_key_frames', keyframes.join(','))
    .options(FRAGMENTS);
  return headCommandOf(title, first === 0 ? undefined : seek, { input, output: toFragments(output, title, MOVFLAGS) });
}

/** Options of a child that copies segments of the picture; it gives more at both ends than was asked for. */
export function copyCommand({ title, video, first, end, careful }: VideoHeadRequest): HeadCommand {
  const at = (segment: number): number => title.plan.boundaries[segment] ?? Infinity;
  const seek = first === 0 ? undefined : seekPoint(title, at(first), careful);
  const output = new OptionList()
    .flag('copyts')
    .options({ map: `0:${video.streamIndex}`, 'c:v': 'copy' })
    .option('to', justBefore(title, at(end)))
    .options(FRAGMENTS);
  return headCommandOf(title, seek, { output: toFragments(output, title, MOVFLAGS) });
}

/** The latest time at which the first frame of a head may be shown; after that its seek went too far. Ticks. */
export function latestStart({ plan, source }: Title, { frameRate }: VideoFacts, first: number): number {
  const wanted = plan.boundaries[first] ?? 0;
  // Nothing else tells whether the durations of a playlist are right.
  if (source.kind === 'playlist') return wanted + (LATE_FRAMES * 90_000) / frameRate;
  const next = keyframeAfter(plan, wanted);
  // Too near to tell one from the other.
  if (plan.keyframes === undefined || next - wanted <= (1.5 * 90_000) / frameRate) return Infinity;
  return next - BOUNDARY_TOLERANCE_TICKS - 1;
}

/** RFC 6381 name of what a rung's encoder is told to make. */
export function encodedCodec(spec: RenditionSpec, size: Pick<VodVideo, 'width' | 'height' | 'frameRate'>): string {
  const demand = levelDemand(spec, size);
  const level = Math.round(Number(h264Level(demand)) * 10);
  return `avc1.${PROFILE_BYTES[demand.profile]}${level.toString(16).padStart(2, '0')}`;
}

function levelDemand(
  spec: RenditionSpec,
  { width, height, frameRate }: Pick<VodVideo, 'width' | 'height' | 'frameRate'>,
): LevelDemand {
  const { maxKbps, bufferKbit } = rateControl(spec, { width, height }, frameRate);
  return { width, height, frameRate, maxKbps, bufferKbit, profile: spec.profile ?? 'high' };
}

function encoderOptions(
  spec: RenditionSpec,
  encoder: VideoEncoder,
  size: Pick<VodVideo, 'width' | 'height' | 'frameRate'>,
): Record<string, string | number> {
  const isSoftware = encoder.name === SOFTWARE_ENCODER;
  const demand = levelDemand(spec, size);
  const { profile } = demand;
  const { targetKbps, maxKbps, bufferKbit } = rateControl(spec, size, size.frameRate);
  return {
    ...(isSoftware ? softwareOptions(spec) : { ...encoder.options(spec), 'b:v': `${targetKbps}k`, g: ENDLESS_GOP }),
    'profile:v': isSoftware || profile !== 'baseline' ? profile : 'constrained_baseline',
    'level:v': h264Level(demand),
    maxrate: `${maxKbps}k`,
    bufsize: `${bufferKbit}k`,
  };
}

function softwareOptions({ preset, profile = 'high' }: RenditionSpec): Record<string, string | number> {
  // Presets leave out what makes a profile one; the codec string has been announced.
  const tools = { high: ':cabac=1:8x8dct=1', main: ':cabac=1', baseline: '' }[profile];
  return {
    preset: preset ?? DEFAULT_PRESET,
    crf: CRF,
    'x264-params': `scenecut=0:keyint=infinite:open-gop=0${tools}`,
  };
}
