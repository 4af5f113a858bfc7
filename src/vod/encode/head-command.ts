import { buildAudioInit } from '../../media/cmaf/init-writer.ts';
import { lowComplexityConfig } from '../../media/codec/aac.ts';
import type { TrackInit } from '../../media/fragment.ts';
import { AppError } from '../../util/errors.ts';
import { segmentCount, type Title, type VideoFacts } from '../source/title.ts';
import type { VodRendition } from '../vod-rendition.ts';
import { copyAudioCommand, encodeAudioCommand } from './audio-head.ts';
import { audioGrid } from './audio-grid.ts';
import { AudioSegmenter } from './audio-segmenter.ts';
import { reorderDelay } from './canonical-fragment.ts';
import type { HeadCommand } from './head-time.ts';
import { type HeadSegment, MAX_HEAD_SEGMENTS, type Segmenter, type SegmentRange } from './segment-range.ts';
import { copyCommand, encodeCommand, latestStart } from './video-head.ts';
import { VideoSegmenter } from './video-segmenter.ts';

/** Some segments of one rendition. */
export interface HeadPlan extends SegmentRange {
  readonly title: Title;
  readonly rendition: VodRendition;
  /** Trusts no index: begins to read further back, and looks for frames behind the end of the range as well. */
  readonly careful: boolean;
}

/** The options of the child that makes these segments. @throws AppError `BAD_MEDIA` if the title has no such track. */
export function headCommand(options: HeadPlan): HeadCommand {
  const { title, rendition, first, careful } = options;
  const furthest = Math.min(segmentCount(title), first + MAX_HEAD_SEGMENTS);
  const plan = careful ? { ...options, end: furthest } : options;
  if (rendition.kind === 'video') {
    const request = { ...plan, rendition, video: pictureOf(title) };
    return rendition.mode === 'copy' ? copyCommand(request) : encodeCommand(request);
  }
  const request = { ...plan, rendition, grid: audioGrid(title, rendition) };
  return rendition.mode === 'copy' ? copyAudioCommand(request) : encodeAudioCommand(request);
}

/** What turns that child's output into segments. */
export function headSegmenter(plan: HeadPlan, onSegment: (segment: HeadSegment) => void): Segmenter {
  const { title, rendition, first, end, careful } = plan;
  if (rendition.kind === 'audio') {
    const { channels } = rendition;
    const fillsToEnd = title.video !== undefined;
    return new AudioSegmenter({ grid: audioGrid(title, rendition), first, end, channels, fillsToEnd, onSegment });
  }
  const video = pictureOf(title);
  return new VideoSegmenter({
    ...{ boundaries: title.plan.boundaries, first, end, onSegment },
    delayTicks: reorderDelay(video),
    latestStart: careful ? Infinity : latestStart(title, video, first),
  });
}

/**
 * The init of a sound of which nothing came, so that its segments can be silent; `undefined` for a picture. Only streams that
 * tell their set-up in each unit come without one, and theirs is this.
 */
export function silentInit(rendition: VodRendition): TrackInit | undefined {
  if (rendition.kind === 'video') return undefined;
  return buildAudioInit({ codec: 'aac', config: lowComplexityConfig(rendition.sampleRate, rendition.channels) });
}

function pictureOf({ video }: Title): VideoFacts {
  if (video === undefined) throw new AppError('BAD_MEDIA', 'the title has no picture');
  return video;
}
