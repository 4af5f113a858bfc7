import { OptionList } from '../../ffmpeg/option-list.ts';
import type { AudioFacts, Title } from '../source/title.ts';
import type { VodAudio } from '../vod-rendition.ts';
import { type AudioGrid, unitStart } from './audio-grid.ts';
import { type HeadCommand, headCommandOf, sourceSeconds, toFragments } from './head-time.ts';
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
/** The init is written behind the first unit: streams tell their set-up there. */
const MOVFLAGS = 'cmaf+frag_discont+delay_moov';
/** Samples of the frames of codecs that always have the same. */
const FRAME_SAMPLES: Readonly<Record<string, number>> = {
  ...{ aac: 1024, mp3: 1152, ac3: 1536, eac3: 1536, dts: 512, opus: 960 },
};
/** Containers round times to the millisecond, and what is cut off a decoder's start as well. */
const ROUNDING_S = 0.002;

/** What a head of a sound makes. */
export interface AudioHeadRequest extends SegmentRange {
  readonly title: Title;
  readonly rendition: VodAudio;
  readonly grid: AudioGrid;
}

/** Options of a child that encodes a sound to AAC-LC, on the grid, with silence where the source has none. */
export function encodeAudioCommand({ title, rendition, grid, first, end }: AudioHeadRequest): HeadCommand {
  const { sampleRate, channels, averageBandwidth } = rendition;
  const start = unitStart(grid, (grid.edges[first] ?? 0) - PRE_ROLL_UNITS);
  const stop = unitStart(grid, (grid.edges[end] ?? 0) + POST_ROLL_UNITS);
  const onSourceClock = (samples: number): number => samples + Math.round((title.startTicks * sampleRate) / 90_000);
  const placed = `aresample=async=1:first_pts=${onSourceClock(start)}`;
  const output = new OptionList()
    .flag('copyts')
    .option('map', `0:${trackOf(title, rendition).streamIndex}`)
    .option('af', [...steadied(title, rendition), `aresample=${sampleRate}`, placed].join(','))
    .options({ 'c:a': 'aac', ar: sampleRate, ac: channels, 'b:a': averageBandwidth })
    // ffmpeg counts this from the first sample if that is before zero.
    .option('to', ((onSourceClock(stop) - Math.min(0, onSourceClock(start))) / sampleRate).toFixed(6));
  return readFrom(title, (start * 90_000) / sampleRate, output);
}

/** Options of a child that copies a sound; it gives more at both ends than was asked for. */
export function copyAudioCommand({ title, rendition, first, end }: AudioHeadRequest): HeadCommand {
  const at = (segment: number): number => title.plan.boundaries[segment] ?? 0;
  const output = new OptionList()
    .flag('copyts')
    .options({ map: `0:${trackOf(title, rendition).streamIndex}`, 'c:a': 'copy', 'bsf:a': 'aac_adtstoasc' })
    .option('to', sourceSeconds(title, at(end) + COPY_POST_ROLL_TICKS));
  return readFrom(title, at(first), output);
}

/**
 * Undoes the rounding of times where the codec's frames are of one length: heads that begin at different frames would else
 * be up to a millisecond apart, which clicks. The end of a frame counts: the first one may have been cut at its start.
 */
function steadied(title: Title, rendition: VodAudio): string[] {
  const { codec, sampleRate, startTicks } = trackOf(title, rendition);
  const samples = FRAME_SAMPLES[codec];
  if (samples === undefined) return [];
  const origin = Math.round(((title.startTicks + startTicks) * sampleRate) / 90_000);
  const onGrid = `${origin}+round((PTS+NB_SAMPLES-${origin})/${samples})*${samples}-NB_SAMPLES`;
  return [`asetpts='st(0,${onGrid})*0+if(lt(abs(ld(0)-PTS),SR*${ROUNDING_S}),ld(0),PTS)'`];
}

function trackOf({ audio }: Title, { trackIndex }: VodAudio): AudioFacts {
  const track = audio[trackIndex];
  if (track === undefined) throw new TypeError(`the title has no sound track ${trackIndex}`);
  return track;
}

function readFrom(title: Title, startTicks: number, options: OptionList): HeadCommand {
  const aim = startTicks - SEEK_MARGIN_TICKS;
  const output = toFragments(options.option('frag_duration', FRAGMENT_US), title, MOVFLAGS);
  return headCommandOf(title, aim <= 0 ? undefined : aim, { output });
}
