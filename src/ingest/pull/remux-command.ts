import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import { OptionList } from '../../ffmpeg/option-list.ts';
import { LADDER_TIMESCALE } from '../../media/fragment.ts';

/** A track that ffmpeg is to put out as fragments, one per frame, with the times that it has in the source. */
export interface RemuxedTrack {
  readonly kind: 'video' | 'audio';
  /** Stream specifier of the source's track, e.g. `0:v:0`. */
  readonly map: string;
  /** As ffmpeg or a `TsTrack` calls it, e.g. `h264`. */
  readonly codec: string;
  /** True if it is AAC with ADTS headers, from which alone its decoder set-up is known. */
  readonly hasAdts: boolean;
}

const MOVFLAGS = 'empty_moov+default_base_moof+frag_every_frame+frag_discont';
const AUDIO_KBPS = 160;
const QUALITY_CRF = 20;
const KEYFRAME_EACH_FRAMES = 100;
/** Enough to see every track's set-up and the order of frames; all of it is held back at the start. */
const PROBE_BYTES = 1_000_000;
const PROBE_US = 500_000;

/** Options before any live input: its times are kept, and little of it is read ahead. */
export function remuxInput(): OptionList {
  return new OptionList()
    .flag('hide_banner')
    .option('loglevel', 'warning')
    .flag('nostats')
    .flag('copyts')
    .option('probesize', PROBE_BYTES)
    .option('analyzeduration', PROBE_US);
}

/** Options of one track's output. What fragments can carry is copied; everything else becomes H.264 or AAC. */
export function remuxOutput(track: RemuxedTrack, binary: FfmpegBinary): string[] {
  const options = new OptionList().option('map', track.map);
  if (track.kind === 'video') videoOptions(options, track.codec, binary);
  else audioOptions(options, track);
  return options
    .option('avoid_negative_ts', 'disabled')
    .option('use_editlist', 0)
    .option('f', 'mp4')
    .option('movflags', track.hasAdts ? `${MOVFLAGS}+delay_moov` : MOVFLAGS)
    .option('flush_packets', 1)
    .toArray();
}

function videoOptions(options: OptionList, codec: string, binary: FfmpegBinary): void {
  if (codec === 'h264' || codec === 'h265' || codec === 'hevc') {
    options.option('c:v', 'copy');
    if (codec !== 'h264') options.option('tag:v', 'hvc1');
    return;
  }
  options
    .option('vf', 'yadif=deint=interlaced')
    .option('c:v', 'libx264')
    .option('preset', 'veryfast')
    .option('tune', 'zerolatency')
    .option('crf', QUALITY_CRF)
    .option('pix_fmt', 'yuv420p')
    .option('g', KEYFRAME_EACH_FRAMES)
    .option('force_key_frames', 'source')
    .option('fps_mode', 'passthrough')
    .option('enc_time_base', binary.major >= 7 ? 'demux' : -1)
    .option('video_track_timescale', LADDER_TIMESCALE);
}

function audioOptions(options: OptionList, { codec, hasAdts }: RemuxedTrack): void {
  if (codec === 'aac') {
    options.option('c:a', 'copy');
    if (hasAdts) options.option('bsf:a', 'aac_adtstoasc');
  } else options.option('c:a', 'aac').option('b:a', `${AUDIO_KBPS}k`).option('ac', 2);
}
