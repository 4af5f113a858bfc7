import type { FfmpegCommandLine } from '../../ffmpeg/ffmpeg-child.ts';
import { OptionList } from '../../ffmpeg/option-list.ts';
import type { Title } from '../source/title.ts';
import { BOUNDARY_TOLERANCE_TICKS } from './segment-range.ts';

/** What a head runs, and from where on it has to read its source; ticks from the title's start, `undefined` = all. */
export interface HeadCommand extends FfmpegCommandLine {
  readonly fromTicks: number | undefined;
}

/** A time as ffmpeg takes it: seconds, exact to the microsecond. */
function seconds(ticks: number): string {
  return (ticks / 90_000).toFixed(6);
}

/** A time of a title on the source's own clock, in seconds. */
export function sourceSeconds({ startTicks }: Pick<Title, 'startTicks'>, ticks: number): string {
  return seconds(startTicks + ticks);
}

/** As `sourceSeconds()`, a little earlier: frames of this time are on its right side however they were rounded. */
export function justBefore(title: Pick<Title, 'startTicks'>, ticks: number): string {
  return seconds(Math.max(0, title.startTicks + ticks - BOUNDARY_TOLERANCE_TICKS));
}

/** Options before a head's input. */
export function inputOptions(): OptionList {
  return new OptionList().flag('hide_banner').option('loglevel', 'error').flag('nostats');
}

/** Options that end each head's output: fragmented MP4 on stdout whose times count from the title's start. */
export function toFragments(options: OptionList, title: Pick<Title, 'startTicks'>, movflags: string): OptionList {
  return options
    .option('output_ts_offset', Number(seconds(-title.startTicks)))
    .options({ map_metadata: -1, map_chapters: -1, write_tmcd: 0, avoid_negative_ts: 'disabled' })
    .options({ f: 'mp4', movflags, flush_packets: 1 });
}

/** A command of both halves that reads its source from a place on; playlists are opened there, others are sought in. */
export function headCommandOf(
  title: Pick<Title, 'startTicks' | 'source'>,
  fromTicks: number | undefined,
  { input = inputOptions(), output }: { input?: OptionList; output: OptionList },
): HeadCommand {
  if (fromTicks !== undefined && title.source.kind !== 'playlist') {
    input
      .option('seek_timestamp', 1)
      .flag('noaccurate_seek')
      .option('ss', Number(sourceSeconds(title, fromTicks)));
  }
  return { input: input.toArray(), output: output.toArray(), fromTicks };
}
