import { EPOCH_SEGMENT, type CheckStream, type RenditionName, type StreamSegment } from './check-stream.ts';

/** What the playlists of the stream declare; a defect may change it. */
export interface CheckSettings {
  readonly windowSegments: number;
  readonly targetDurationS: number;
  readonly holdBackS: number;
  readonly partHoldBackS: number;
  readonly skipBoundaryS: number;
  /** Segments that delta updates skip besides those past the boundary. */
  readonly extraSkipped: number;
  readonly deltaVersion: number;
  /** Parts are listed this long before the end. */
  readonly partWindowS: number;
}

export const CHECK_SETTINGS: CheckSettings = {
  windowSegments: 8,
  targetDurationS: 1,
  holdBackS: 3,
  partHoldBackS: 0.768,
  skipBoundaryS: 6,
  extraSkipped: 0,
  deltaVersion: 9,
  partWindowS: 3,
};

/** Number of the stream's first segment. */
export const FIRST_MSN = 100;

const PART_TARGETS = { lo: '0.25000', hi: '0.25000', audio: '0.25600' };
const FILES = { lo: 'lo/video.m3u8', hi: 'hi/video.m3u8', audio: 'audio/audio.m3u8' };
const RENDITIONS = ['lo', 'hi', 'audio'] as const;

/** The multivariant playlist. */
export function renderCheckMultivariant(stream: CheckStream): string {
  const audio = stream.rates('audio');
  const variant = (rendition: 'lo' | 'hi', size: string): string[] => {
    const { peak, average } = stream.rates(rendition);
    const rates = `BANDWIDTH=${Math.ceil(peak + audio.peak)},AVERAGE-BANDWIDTH=${Math.ceil(average + audio.average)}`;
    const codecs = `CODECS="${codecOf(stream, rendition)},mp4a.40.2"`;
    return [
      `#EXT-X-STREAM-INF:${rates},${codecs},RESOLUTION=${size},FRAME-RATE=24.000,AUDIO="sound"`,
      FILES[rendition],
    ];
  };
  const lo = codecOf(stream, 'lo');
  return [
    ...['#EXTM3U', '#EXT-X-VERSION:9', '#EXT-X-INDEPENDENT-SEGMENTS'],
    `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="sound",DEFAULT=YES,CHANNELS="1",URI="${FILES.audio}"`,
    ...variant('hi', '128x72'),
    ...variant('lo', '64x36'),
    `#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=20000,CODECS="${lo}",RESOLUTION=64x36,URI="lo/iframes.m3u8"`,
    '',
  ].join('\n');
}

function codecOf(stream: CheckStream, rendition: RenditionName): string {
  const init = stream.init(rendition);
  const at = init.indexOf('avcC') + 5;
  return `avc1.${init.toString('hex', at, at + 3)}`;
}

/** A media playlist at a time, whole or as a delta update. */
export function renderCheckPlaylist(
  stream: CheckStream,
  rendition: RenditionName,
  { nowS, startMs, skip, settings }: { nowS: number; startMs: number; skip: boolean; settings: CheckSettings },
): string {
  const { segments: ready, parts } = stream.progress(rendition, nowS);
  const first = Math.max(0, ready - settings.windowSegments);
  const listed = Array.from({ length: ready - first }, (_, index) => stream.segment(rendition, first + index));
  const open = stream.segment(rendition, ready);
  const openS = open.parts.slice(0, parts).reduce((total, { durationS }) => total + durationS, 0);
  const totalS = listed.reduce((total, { durationS }) => total + durationS, openS);
  const endsBefore = (index: number): number =>
    totalS - listed.slice(0, index + 1).reduce((total, { durationS }) => total + durationS, 0);
  const old = listed.filter((_, index) => endsBefore(index) > settings.skipBoundaryS).length;
  const skipped = skip && old > 0 ? old + settings.extraSkipped : 0;
  const lines = head(rendition, first, skipped > 0 ? settings.deltaVersion : 9, settings);
  if (skipped > 0) lines.push(`#EXT-X-SKIP:SKIPPED-SEGMENTS=${skipped}`);
  for (const [index, segment] of listed.entries()) {
    if (index < skipped) continue;
    lines.push(...place(segment, index === skipped, startMs));
    if (endsBefore(index) <= settings.partWindowS) lines.push(...partLines(segment, segment.parts.length, rendition));
    lines.push(`#EXTINF:${segment.durationS.toFixed(5)},`, `seg-${FIRST_MSN + segment.index}.m4s`);
  }
  if (parts > 0) lines.push(...place(open, false, startMs), ...partLines(open, parts, rendition));
  lines.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part-${FIRST_MSN + ready}-${parts}.m4s"`);
  lines.push(...RENDITIONS.filter((other) => other !== rendition).map((other) => report(stream, other, nowS)), '');
  return lines.join('\n');
}

function head(rendition: RenditionName, first: number, version: number, settings: CheckSettings): string[] {
  const { holdBackS, partHoldBackS, skipBoundaryS, targetDurationS } = settings;
  const control = `CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=${skipBoundaryS},PART-HOLD-BACK=${partHoldBackS},HOLD-BACK=${holdBackS}`;
  return [
    ...['#EXTM3U', `#EXT-X-VERSION:${version}`, `#EXT-X-TARGETDURATION:${targetDurationS}`],
    `#EXT-X-MEDIA-SEQUENCE:${FIRST_MSN + first}`,
    `#EXT-X-DISCONTINUITY-SEQUENCE:${first > EPOCH_SEGMENT ? 1 : 0}`,
    ...['#EXT-X-INDEPENDENT-SEGMENTS', `#EXT-X-SERVER-CONTROL:${control}`],
    `#EXT-X-PART-INF:PART-TARGET=${PART_TARGETS[rendition]}`,
  ];
}

/** Tags that say where a segment is. */
function place(segment: StreamSegment, isFirst: boolean, startMs: number): string[] {
  const isNew = segment.index === EPOCH_SEGMENT;
  if (!isFirst && !isNew) return [];
  return [
    ...(isNew ? ['#EXT-X-DISCONTINUITY'] : []),
    `#EXT-X-MAP:URI="init-${segment.epoch}.mp4"`,
    `#EXT-X-PROGRAM-DATE-TIME:${new Date(startMs + segment.startS * 1_000).toISOString()}`,
  ];
}

function partLines({ index, parts }: StreamSegment, count: number, rendition: RenditionName): string[] {
  return parts.slice(0, count).map(({ durationS }, part) => {
    const independent = part === 0 && rendition !== 'audio' ? ',INDEPENDENT=YES' : '';
    return `#EXT-X-PART:DURATION=${durationS.toFixed(5)},URI="part-${FIRST_MSN + index}-${part}.m4s"${independent}`;
  });
}

function report(stream: CheckStream, rendition: RenditionName, nowS: number): string {
  const { segments, parts } = stream.progress(rendition, nowS);
  const last =
    parts > 0 ? [segments, parts - 1] : [segments - 1, stream.segment(rendition, segments - 1).parts.length - 1];
  return `#EXT-X-RENDITION-REPORT:URI="../${FILES[rendition]}",LAST-MSN=${FIRST_MSN + last[0]!},LAST-PART=${last[1]}`;
}

/** The I-frame playlist of a rendition. */
export function renderCheckIFrames(
  stream: CheckStream,
  rendition: RenditionName,
  nowS: number,
  windowSegments: number,
): string {
  const { segments } = stream.progress(rendition, nowS);
  const first = Math.max(0, segments - windowSegments);
  const lines = [
    ...['#EXTM3U', '#EXT-X-VERSION:9', '#EXT-X-TARGETDURATION:1', `#EXT-X-MEDIA-SEQUENCE:${FIRST_MSN + first}`],
    ...[`#EXT-X-DISCONTINUITY-SEQUENCE:${first > EPOCH_SEGMENT ? 1 : 0}`, '#EXT-X-I-FRAMES-ONLY'],
  ];
  for (let index = first; index < segments; index += 1) {
    const segment = stream.segment(rendition, index);
    lines.push(...place(segment, index === first, 0).filter((line) => !line.includes('DATE')));
    lines.push('#EXTINF:1.00000,', `#EXT-X-BYTERANGE:${segment.keyframeBytes}@0`, `seg-${FIRST_MSN + index}.m4s`);
  }
  return [...lines, ''].join('\n');
}
