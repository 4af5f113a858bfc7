import { SHARED_AUDIO_RENDITION } from '../ladder/ladder-source.ts';
import { factoryOf, isAudioOnly, type RenditionSpec } from '../ladder/rendition.ts';
import type { EncoderChoice } from '../transcode/encoders.ts';
import { fittedSize, type Size, sizeObjection } from '../transcode/ffmpeg/rung-geometry.ts';
import { SOFTWARE_ENCODER, videoEncoder } from '../transcode/ffmpeg/video-encoders.ts';
import type { OptOut } from '../transcode/transcoder.ts';
import { AppError } from '../util/errors.ts';
import { MAX_COPIED_CHANNELS } from './encode/audio-segmenter.ts';
import { bandwidthOf, rateControl } from './encode/rate-control.ts';
import { frameDivisor } from './encode/video-filters.ts';
import { encodedCodec } from './encode/video-head.ts';
import type { AudioFacts, Title, VideoFacts } from './source/title.ts';
import type { VodAudio, VodRendition, VodVideo } from './vod-rendition.ts';

/** What renditions are planned from. */
export interface RenditionRequest {
  readonly title: Title;
  /** The rungs of the ladder and the sound that they share (`LadderSource.renditionsFor()`). */
  readonly specs: readonly RenditionSpec[];
  /** Picks the encoder of a rung (`EncoderBroker.choose()`). */
  readonly choose: (spec: RenditionSpec) => EncoderChoice | OptOut;
  /** Index in `Title.audio` of the sound that is played unless the viewer chooses another; else the file decides. */
  readonly audio?: number | undefined;
  /** Index in `Title.subtitles` of pictures to be burned in. */
  readonly burn?: number | undefined;
}

/** Largest picture of a rung that stands in for frames that cannot be copied. */
const STAND_IN_SIZE = Object.freeze({ width: 1920, height: 1080 });
const AAC_LC = 'mp4a.40.2';
const STEREO_KBPS = 128;
const SURROUND_KBPS = 384;
const SURROUND_CHANNELS = 6;
const ENCODED_SAMPLE_RATE = 48_000;
/** Bit/s of a sound whose file does not tell. */
const ASSUMED_BITRATE = 256_000;
/** How much of its bitrate a sound may take in its worst segment: ffmpeg’s encoder exceeds it by far for noise. */
const AUDIO_PEAK = 1.8;
const AUDIO_OVERHEAD = 8_000;

/**
 * Plans what of a title can be watched, best first as the ladder says: each quality of the picture, then each sound. Nothing
 * is larger than the source, nothing is there twice; all that playlists announce is known before anything is encoded.
 * @throws AppError `BAD_MEDIA` if nothing is left
 */
export function planRenditions(request: RenditionRequest): VodRendition[] {
  const { title, specs } = request;
  const { video } = title;
  const rungs = specs.filter((spec) => !isAudioOnly(spec));
  const wantsPicture = video !== undefined && (rungs.length > 0 || title.audio.length === 0);
  const renditions = [...(wantsPicture ? planVideo(request, video, rungs) : []), ...planAudio(request)];
  if (renditions.length === 0) {
    throw new AppError('BAD_MEDIA', `${title.source.label} has no track that a rung of the ladder can be made from`);
  }
  return renditions;
}

/** The same rendition made by libx264, for when a hardware encoder does not open; `undefined` if it is libx264 already. */
export function softwareStandIn(rendition: VodRendition): VodVideo | undefined {
  if (rendition.kind === 'audio' || rendition.mode === 'copy') return undefined;
  const encoder = videoEncoder(SOFTWARE_ENCODER);
  return encoder === undefined || rendition.encoder?.name === SOFTWARE_ENCODER ? undefined : { ...rendition, encoder };
}

function planVideo(request: RenditionRequest, video: VideoFacts, rungs: readonly RenditionSpec[]): VodVideo[] {
  const copied = video.copy !== undefined && request.burn === undefined;
  const fitting = rungs.filter((spec) => factoryOf(spec) === 'ffmpeg' && sizeObjection(spec, video) === undefined);
  const sizes = new Set(fitting.map((spec) => sizeText(fittedSize(spec, video))));
  const standInSize = sizeText(fittedSize({ name: 'original', ...STAND_IN_SIZE }, video));
  const planned = rungs.flatMap((spec) => {
    if (fitting.includes(spec)) return encoded(request, video, spec);
    if (factoryOf(spec) === 'ffmpeg') return [];
    if (copied) return copiedVideo(video, spec.name);
    return sizes.has(standInSize) ? [] : encoded(request, video, standInFor(spec));
  });
  return planned.length > 0 ? planned : encoded(request, video, standInFor(rungs[0] ?? { name: 'original' }));
}

function standInFor({ name, encoder, preset }: RenditionSpec): RenditionSpec {
  return { name, ...STAND_IN_SIZE, ...(encoder !== undefined && { encoder }), ...(preset !== undefined && { preset }) };
}

/** Renditions of other kinds have these names. */
function videoName(name: string): string {
  return /^(audio|subtitles)-\d/.test(name) ? `video-${name}` : name;
}

function sizeText({ width, height }: Size): string {
  return `${width}x${height}`;
}

function copiedVideo(video: VideoFacts, name: string): VodVideo[] {
  const { copy, width, height, frameRate } = video;
  if (copy === undefined) return [];
  const { codec, averageBandwidth, bandwidth } = copy;
  return [
    {
      ...{
        kind: 'video',
        mode: 'copy',
        name: videoName(name),
        codec,
        averageBandwidth,
        bandwidth,
        width,
        height,
        frameRate,
      },
      ...{ spec: undefined, encoder: undefined, burn: undefined },
    },
  ];
}

function encoded({ title, choose, burn }: RenditionRequest, video: VideoFacts, spec: RenditionSpec): VodVideo[] {
  const choice = choose(spec);
  if ('optOut' in choice) return [];
  const size = fittedSize(spec, video);
  const frameRate = video.frameRate / frameDivisor(video.frameRate, spec.maxFrameRate);
  const rates = bandwidthOf(rateControl(spec, size, frameRate), title.plan, frameRate);
  return [
    {
      ...{
        kind: 'video',
        mode: 'encode',
        name: videoName(spec.name),
        codec: encodedCodec(spec, { ...size, frameRate }),
      },
      ...{ ...rates, ...size, frameRate, spec, encoder: choice.encoder, burn },
    },
  ];
}

function planAudio({ title, specs, audio: chosen }: RenditionRequest): VodAudio[] {
  const { audio } = title;
  const kbps = specs.find(({ name }) => name === SHARED_AUDIO_RENDITION)?.audioBitrateKbps ?? STEREO_KBPS;
  const first =
    chosen ??
    Math.max(
      0,
      audio.findIndex(({ isDefault }) => isDefault),
    );
  return audio.flatMap((track, trackIndex) => {
    const shared = {
      ...{ kind: 'audio' as const, codec: AAC_LC, trackIndex, language: track.language },
      ...{ title: track.title ?? `Audio ${trackIndex + 1}`, isDefault: trackIndex === first },
    };
    const isSurround = track.channels > 2;
    const name = `audio-${trackIndex}`;
    const stereo = {
      ...shared,
      name,
      ...(!isSurround && isCopied(track) ? copiedSound(track) : encodedSound(Math.min(2, track.channels), kbps)),
    };
    if (!isSurround) return [stereo];
    const sound = isCopied(track) ? copiedSound(track) : encodedSound(SURROUND_CHANNELS, SURROUND_KBPS);
    return [stereo, { ...shared, name: `${name}-surround`, ...sound }];
  });
}

type Sound = Pick<VodAudio, 'mode' | 'channels' | 'sampleRate' | 'averageBandwidth' | 'bandwidth'>;

function isCopied({ codec, profile, channels, sampleRate }: AudioFacts): boolean {
  const isPlayable = channels <= MAX_COPIED_CHANNELS && sampleRate <= ENCODED_SAMPLE_RATE;
  return codec === 'aac' && profile === 'LC' && isPlayable;
}

function copiedSound({ channels, sampleRate, bitrate = ASSUMED_BITRATE }: AudioFacts): Sound {
  return { mode: 'copy', channels, sampleRate, ...soundRates(bitrate) };
}

function encodedSound(channels: number, kbps: number): Sound {
  return { mode: 'encode', channels, sampleRate: ENCODED_SAMPLE_RATE, ...soundRates(kbps * 1000) };
}

function soundRates(bitrate: number): { averageBandwidth: number; bandwidth: number } {
  return { averageBandwidth: bitrate, bandwidth: Math.ceil(bitrate * AUDIO_PEAK) + AUDIO_OVERHEAD };
}
