import type { FfmpegCommandLine } from '../../ffmpeg/ffmpeg-child.ts';
import { OptionList } from '../../ffmpeg/option-list.ts';
import type { Title } from '../source/title.ts';
import type { VodAudio } from '../vod-rendition.ts';
import { type AudioGrid, unitStart } from './audio-grid.ts';
import { commandLine, inputOptions, sourceSeconds, toFragments } from './head-time.ts';
import type { SegmentRange } from './segment-range.ts';

/** Units that are encoded before the first one that is kept: after eight, a joint of two heads cannot be heard. */
const PRE_ROLL_UNITS = 8;
/** Units that are encoded behind the last one that is kept. */
const POST_ROLL_UNITS = 2;
/** Files interleave sound and picture this loosely; a seek goes to the picture's place. Ticks. */
const SEEK_MARGIN_TICKS = 2 * 90_000;
/** How far behind its end a head that copies reads, so that the last segment is known to be whole; ticks. */
const COPY_POST_ROLL_TICKS = 90_000;
/** Half a second each. */
const FRAGMENT_US = 500_000;
const MOVFLAGS = 'cmaf+frag_discont';

/** What a head of a sound makes. */
export interface AudioHeadRequest extends SegmentRange {
  readonly title: Title;
  readonly rendition: VodAudio;
  readonly grid: AudioGrid;
}

/** Options of a child that encodes a sound to AAC-LC, on the grid, with silence where the source has none. */
export function encodeAudioCommand({ title, rendition, grid, first, end }: AudioHeadRequest): FfmpegCommandLine {
  const { sampleRate, channels, averageBandwidth } = rendition;
  const start = unitStart(grid, (grid.edges[first] ?? 0) - PRE_ROLL_UNITS);
  const stop = unitStart(grid, (grid.edges[end] ?? 0) + POST_ROLL_UNITS);
  const onSourceClock = (samples: number): number => samples + Math.round((title.startTicks * sampleRate) / 90_000);
  const output = new OptionList()
    .flag('copyts')
    .option('map', `0:${streamOf(title, rendition)}`)
    .option('af', `aresample=async=1:first_pts=${onSourceClock(start)}`)
    .options({ 'c:a': 'aac', ar: sampleRate, ac: channels, 'b:a': averageBandwidth })
    .option('to', (onSourceClock(stop) / sampleRate).toFixed(6));
  return commandLine(seekTo(title, (start * 90_000) / sampleRate), intoFragments(output, title));
}

/** Options of a child that copies a sound; it gives more at both ends than was asked for. */
export function copyAudioCommand({ title, rendition, first, end }: AudioHeadRequest): FfmpegCommandLine {
  const at = (segment: number): number => title.plan.boundaries[segment] ?? 0;
  const output = new OptionList()
    .flag('copyts')
    .options({ map: `0:${streamOf(title, rendition)}`, 'c:a': 'copy' })
    .option('to', sourceSeconds(title, at(end) + COPY_POST_ROLL_TICKS));
  return commandLine(seekTo(title, at(first)), intoFragments(output, title));
}

function streamOf({ audio }: Title, { trackIndex }: VodAudio): number {
  const track = audio[trackIndex];
  if (track === undefined) throw new TypeError(`the title has no sound track ${trackIndex}`);
  return track.streamIndex;
}

function seekTo(title: Title, startTicks: number): OptionList {
  const aim = startTicks - SEEK_MARGIN_TICKS;
  return inputOptions(title, aim <= 0 ? undefined : aim);
}

function intoFragments(output: OptionList, title: Title): OptionList {
  return toFragments(output.option('frag_duration', FRAGMENT_US), title, MOVFLAGS);
}
