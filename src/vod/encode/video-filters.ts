import type { Title, VideoFacts } from '../source/title.ts';
import type { VodVideo } from '../vod-rendition.ts';
import { justBefore, sourceSeconds } from './head-time.ts';

/** Frames before its first one that the deinterlacer of a head sees, so that it knows what moved. */
const DEINTERLACER_FRAMES = 3.5;
/** How long before its first frame a head begins to read, to find the subtitle that is already shown; ticks. */
const SUBTITLE_LEAD_TICKS = 10 * 90_000;
/** All pictures with a high dynamic range have these colours, but not all files say so. */
const WIDE_COLOURS = 'setparams=color_primaries=bt2020:colorspace=bt2020nc';
/** Brings PQ and HLG into what every screen shows; after scaling, since it is the most expensive part. */
const TONE_MAPPING = [
  'zscale=t=linear:npl=100',
  'format=gbrpf32le',
  'zscale=p=bt709',
  'tonemap=hable:desat=0',
  'zscale=t=bt709:m=bt709:r=tv',
];

/** How far before its first frame a head has to be able to decode, in ticks. */
export function leadTicks(video: VideoFacts, { burn }: VodVideo): number {
  return Math.max(deinterlacerTicks(video), burn === undefined ? 0 : SUBTITLE_LEAD_TICKS);
}

/** Every how many-th frame a rendition keeps. */
export function frameDivisor(sourceRate: number, maxFrameRate = Infinity): number {
  // A source this little above the cap is left alone: declared rates are not exact.
  return Math.max(1, Math.ceil(sourceRate / maxFrameRate - 0.05));
}

/** Options that take the source's picture, from one time until another, through the filters to the encoder. */
export function pictureOptions(
  title: Title,
  video: VideoFacts,
  rendition: VodVideo,
  [startTicks, endTicks]: readonly [number, number],
): Record<string, string> {
  const upload = rendition.encoder?.upload ?? 'format=yuv420p';
  const frames = [
    ...trimmed(title, video, startTicks, endTicks),
    ...thinned(title, video, rendition),
    ...scaled(video, rendition),
  ];
  const { burn } = rendition;
  if (burn === undefined) return { map: `0:${video.streamIndex}`, vf: [...frames, upload].join(',') };
  const subtitles = title.subtitles[burn]?.streamIndex ?? 0;
  const graph = [
    `[0:${video.streamIndex}]${frames.join(',')}[picture]`,
    // As wide as the picture; what was cut off the picture was cut off at both sides of it, text is at its foot.
    `[0:${subtitles}]scale=${rendition.width}:-2[text]`,
    `[picture][text]overlay=0:H-h:eof_action=pass,${upload}[out]`,
  ];
  return { filter_complex: graph.join(';'), map: '[out]' };
}

/** The head's own frames: the decoder begins at a keyframe before them. */
function trimmed(title: Title, video: VideoFacts, startTicks: number, endTicks: number): string[] {
  const isFirst = startTicks <= (title.plan.boundaries[0] ?? 0);
  const from = (ticks: number): string => (isFirst ? '' : `start=${justBefore(title, ticks)}:`);
  const trim = `trim=${from(startTicks)}end=${justBefore(title, endTicks)}`;
  if (!video.isInterlaced) return [trim];
  const early = isFirst ? [] : [`trim=${from(startTicks - deinterlacerTicks(video))}`.slice(0, -1)];
  return [...early, 'bwdif=mode=send_frame:deint=interlaced', trim];
}

/** Frames are told by their time and nothing else, so that every head leaves out the same ones. */
function thinned(title: Title, video: VideoFacts, { spec }: VodVideo): string[] {
  const divisor = frameDivisor(video.frameRate, spec?.maxFrameRate);
  if (divisor === 1) return [];
  const first = sourceSeconds(title, title.plan.boundaries[0] ?? 0);
  return [`select='not(mod(round((t-${first})*${video.frameRate}),${divisor}))'`];
}

function scaled({ isHdr }: VideoFacts, { width, height }: VodVideo): string[] {
  if (!isHdr) return [`scale=${width}:${height}`, 'setsar=1'];
  return [WIDE_COLOURS, `zscale=w=${width}:h=${height}`, ...TONE_MAPPING, 'setsar=1'];
}

function deinterlacerTicks({ isInterlaced, frameRate }: VideoFacts): number {
  return isInterlaced ? Math.round((DEINTERLACER_FRAMES * 90_000) / frameRate) : 0;
}
