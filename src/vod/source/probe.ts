import { runFfprobe } from '../../ffmpeg/ffprobe.ts';
import { AppError } from '../../util/errors.ts';
import type { FfmpegInput } from './media-source.ts';
import { ProbeFields } from './probe-fields.ts';
import type { AudioFacts, SubtitleFacts, VideoFacts } from './title.ts';
import { languageOf, trackTitleOf } from './track-labels.ts';
import { TICKS_PER_SECOND } from './segment-plan.ts';

const MAX_STREAMS = 64;
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;
const MAX_PIXELS = 36_000_000;
const MAX_FRAME_RATE = 480;
const MAX_DURATION_SECONDS = 30 * 24 * 3600;
/** Beyond these a pixel's shape is taken for a mistake. */
const MAX_PIXEL_STRETCH = 10;

const ENTRIES = [
  'format=format_name,start_time,duration',
  'stream=index,id,codec_name,codec_type,profile,level,width,height,pix_fmt,sample_aspect_ratio,' +
    'field_order,color_transfer,avg_frame_rate,r_frame_rate,start_time,nb_frames,bit_rate,channels,sample_rate',
  'stream_disposition=default,forced,hearing_impaired,attached_pic,still_image',
  'stream_tags=language,title,rotate',
  'stream_side_data=rotation',
].join(':');

const TEXT_CODECS = new Set(['subrip', 'srt', 'ass', 'ssa', 'mov_text', 'webvtt', 'text']);
const PICTURE_CODECS = new Set(['hdmv_pgs_subtitle', 'dvd_subtitle', 'dvb_subtitle', 'xsub']);
const INTERLACED_ORDERS = new Set(['tt', 'bb', 'tb', 'bt']);
const HDR_TRANSFERS = new Set(['smpte2084', 'arib-std-b67']);

/** What ffprobe tells of a source. Times as in `Title`, unless said otherwise. */
export interface ProbedMedia {
  readonly format: string;
  readonly startTicks: number;
  /** From `startTicks` on, as the container declares; `undefined` if it does not. */
  readonly declaredTicks: number | undefined;
  readonly video: ProbedVideo | undefined;
  readonly audio: readonly AudioFacts[];
  readonly subtitles: readonly SubtitleFacts[];
}

/** What ffprobe tells of the picture. */
export interface ProbedVideo extends Omit<VideoFacts, 'copy' | 'copyObjection' | 'frameRate'> {
  /** Its place among the file's video tracks, from 0. */
  readonly ordinal: number;
  /** The container's own number of it; `undefined` if it has none. */
  readonly trackId: number | undefined;
  /** `undefined` if the file does not tell. */
  readonly frameRate: number | undefined;
  /** How many frames the container declares. */
  readonly frameCount: number | undefined;
  /** When its first frame is shown, ticks from `startTicks` on. */
  readonly startTicks: number;
  readonly profile: string | undefined;
  readonly level: number | undefined;
  readonly pixelFormat: string | undefined;
  readonly isRotated: boolean;
  /** Width of a pixel for a height of 1. */
  readonly pixelAspect: number;
}

/**
 * Asks ffprobe what is in a source. Cover pictures are no video; tracks that cannot be played are left out.
 * @throws AppError `BAD_MEDIA` if nothing in it can be played, and as `runFfprobe` does
 */
export async function probeMedia(
  binaryPath: string,
  input: FfmpegInput,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<ProbedMedia> {
  const args = ['-show_entries', ENTRIES, '-of', 'json'];
  return parseProbe(await runFfprobe({ binaryPath, args, input, timeoutMs, maxOutputBytes: MAX_OUTPUT_BYTES, signal }));
}

/** Reads what `probeMedia()` got. @throws AppError `BAD_MEDIA` as it does */
export function parseProbe(output: Buffer): ProbedMedia {
  const root = ProbeFields.parse(output);
  const format = root.child('format');
  const startTicks = ticksOf(format.number('start_time')) ?? 0;
  const streams = root.children('streams').slice(0, MAX_STREAMS);
  const known = streams.filter((stream) => stream.text('codec_name') !== undefined);
  const videos = streams.filter((stream) => stream.text('codec_type') === 'video' && !isCover(stream));
  const picture = videos.find((stream) => known.includes(stream));
  const seconds = format.number('duration');
  if (seconds !== undefined && seconds > MAX_DURATION_SECONDS) {
    throw new AppError('BAD_MEDIA', `a source of ${seconds} seconds is longer than 30 days`);
  }
  return {
    format: format.text('format_name') ?? 'unknown',
    startTicks,
    declaredTicks: seconds !== undefined && seconds > 0 ? ticksOf(seconds) : undefined,
    video: picture && videoOf(picture, videos.indexOf(picture), startTicks),
    audio: known
      .filter((stream) => stream.text('codec_type') === 'audio' && (stream.number('sample_rate') ?? 0) > 0)
      .map((stream) => audioOf(stream, startTicks)),
    subtitles: known.filter((stream) => stream.text('codec_type') === 'subtitle').flatMap(subtitleOf),
  };
}

function isCover(stream: ProbeFields): boolean {
  const disposition = stream.child('disposition');
  return disposition.flag('attached_pic') || disposition.flag('still_image');
}

function videoOf(stream: ProbeFields, ordinal: number, startTicks: number): ProbedVideo {
  const coded = { width: stream.number('width') ?? 0, height: stream.number('height') ?? 0 };
  if (coded.width <= 0 || coded.height <= 0) {
    throw new AppError('BAD_MEDIA', `a picture of ${coded.width}x${coded.height} pixels cannot be shown`);
  }
  if (coded.width * coded.height > MAX_PIXELS) {
    const size = `${coded.width}x${coded.height}`;
    throw new AppError('BAD_MEDIA', `a picture of ${size} pixels is larger than ${MAX_PIXELS / 1e6} megapixels`);
  }
  const rotation = rotationOf(stream);
  const pixelAspect = pixelAspectOf(stream.text('sample_aspect_ratio'));
  const shown = { width: Math.max(1, Math.round(coded.width * pixelAspect)), height: coded.height };
  const isUpright = Math.abs(rotation % 180) !== 90;
  return {
    streamIndex: stream.number('index') ?? 0,
    ordinal,
    trackId: stream.number('id'),
    codec: stream.text('codec_name') ?? '',
    width: isUpright ? shown.width : shown.height,
    height: isUpright ? shown.height : shown.width,
    frameRate: stream.rate('avg_frame_rate', MAX_FRAME_RATE) ?? stream.rate('r_frame_rate', MAX_FRAME_RATE),
    frameCount: stream.number('nb_frames'),
    startTicks: (ticksOf(stream.number('start_time')) ?? startTicks) - startTicks,
    isInterlaced: INTERLACED_ORDERS.has(stream.text('field_order') ?? ''),
    isHdr: HDR_TRANSFERS.has(stream.text('color_transfer') ?? ''),
    bitrate: positive(stream.number('bit_rate')),
    profile: stream.text('profile'),
    level: stream.number('level'),
    pixelFormat: stream.text('pix_fmt'),
    isRotated: rotation !== 0,
    pixelAspect,
  };
}

/** Degrees, of the display matrix or else of the tag that older files have. */
function rotationOf(stream: ProbeFields): number {
  const matrix = stream.children('side_data_list').map((data) => data.number('rotation'));
  return matrix.find((degrees) => degrees !== undefined) ?? stream.child('tags').number('rotate') ?? 0;
}

function pixelAspectOf(text: string | undefined): number {
  const [width = 0, height = 0] = (text ?? '').split(':').map(Number);
  const aspect = width / height;
  return aspect >= 1 / MAX_PIXEL_STRETCH && aspect <= MAX_PIXEL_STRETCH ? aspect : 1;
}

function audioOf(stream: ProbeFields, startTicks: number): AudioFacts {
  return {
    streamIndex: stream.number('index') ?? 0,
    codec: stream.text('codec_name') ?? '',
    profile: stream.text('profile'),
    channels: Math.max(1, stream.number('channels') ?? 1),
    sampleRate: stream.number('sample_rate') ?? 0,
    bitrate: positive(stream.number('bit_rate')),
    ...labelsOf(stream),
    isDefault: stream.child('disposition').flag('default'),
    startTicks: (ticksOf(stream.number('start_time')) ?? startTicks) - startTicks,
  };
}

function subtitleOf(stream: ProbeFields): SubtitleFacts[] {
  const codec = stream.text('codec_name') ?? '';
  const kind = TEXT_CODECS.has(codec) ? 'text' : PICTURE_CODECS.has(codec) ? 'picture' : undefined;
  if (kind === undefined) return [];
  const disposition = stream.child('disposition');
  return [
    {
      streamIndex: stream.number('index') ?? 0,
      sidecarPath: undefined,
      codec,
      kind,
      ...labelsOf(stream),
      isDefault: disposition.flag('default'),
      isForced: disposition.flag('forced'),
      isForHearingImpaired: disposition.flag('hearing_impaired'),
    },
  ];
}

function labelsOf(stream: ProbeFields): { language: string | undefined; title: string | undefined } {
  const tags = stream.child('tags');
  return { language: languageOf(tags.text('language')), title: trackTitleOf(tags.longText('title')) };
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined;
}

function ticksOf(seconds: number | undefined): number | undefined {
  const ticks = Math.round((seconds ?? NaN) * TICKS_PER_SECOND);
  return Number.isSafeInteger(ticks) ? ticks : undefined;
}
