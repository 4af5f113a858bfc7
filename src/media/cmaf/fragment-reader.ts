import { AppError } from '../../util/errors.ts';
import type { Fragment, TrackInit } from '../fragment.ts';
import { writeFragment } from './fragment-writer.ts';
import { readSamples } from './sample-reader.ts';

/** The id of the only track of every init that this program writes, and of every single-track output of ffmpeg. */
const TRACK_ID = 1;

/** `sample_is_non_sync_sample`, for fragments that do not tell. */
const NO_DEFAULTS = new Map([[TRACK_ID, { duration: 0, size: 0, flags: 0x010000 }]]);

/** What a fragment gets that its bytes do not tell. */
interface FragmentContext {
  readonly epoch: number;
  /** Wall clock, ms since the Unix epoch. */
  readonly ingestedAtMs: number;
}

/**
 * Reads one `moof` + `mdat` of the single track (id 1) that `init` describes, e.g. a transcoder's output. The fragment must
 * tell all sample fields itself, as ffmpeg's do. The result is written anew: it holds nothing but that track's samples.
 * `undefined` for one that begins before time zero, as an audio encoder's priming does: nothing is to be heard there.
 * @throws AppError `BAD_MEDIA` for anything malformed, and for a fragment without samples.
 */
export function readFragment(
  bytes: Buffer,
  init: TrackInit,
  { epoch, ingestedAtMs }: FragmentContext,
): Fragment | undefined {
  const [track] = readSamples(bytes, NO_DEFAULTS);
  if (track === undefined || track.samples.length === 0) {
    throw new AppError(
      'BAD_MEDIA',
      `a ${init.kind} fragment of ${bytes.length} bytes holds no sample of track ${TRACK_ID}`,
    );
  }
  if (track.samples.some(({ dts }) => dts < 0)) return undefined;
  const frames = init.kind === 'audio' ? track.samples.map((sample) => ({ ...sample, sync: true })) : track.samples;
  return writeFragment({ init, epoch, frames, ingestedAtMs });
}
