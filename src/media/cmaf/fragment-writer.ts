import type { Fragment, TrackInit } from '../fragment.ts';
import { layOutMovieFragment, type SampleRow } from './movie-fragment.ts';

/** A frame to be written. Times in the track's timescale. */
export interface CodedFrame {
  readonly dts: number;
  readonly pts: number;
  readonly duration: number;
  readonly sync: boolean;
  readonly data: Buffer;
}

/** What a fragment is made of: at least one frame, in decode order, contiguous (the last one's duration ends the fragment). */
interface FragmentParts {
  readonly init: TrackInit;
  readonly epoch: number;
  readonly frames: readonly CodedFrame[];
  readonly ingestedAtMs: number;
}

/** Largest value of a sample's duration field. */
const MAX_DURATION = 0xffffffff;

/** Writes one `moof` + `mdat` with 64-bit `tfdt` and signed composition offsets (ISO/IEC 14496-12, 8.8); copies the frames. */
export function writeFragment({ init, epoch, frames, ingestedAtMs }: FragmentParts): Fragment {
  const first = frames[0];
  if (first === undefined) throw new TypeError('a fragment needs at least one frame');
  const samples = frames.map(({ dts, pts, duration, sync, data }) =>
    Object.freeze({ duration, size: data.length, sync, compositionOffset: pts - dts }),
  );
  const payloadBytes = frames.reduce((sum, { data }) => sum + data.length, 0);
  const { bytes, payload } = layOutMovieFragment({
    sequenceNumber: 1,
    baseDecodeTime: first.dts,
    samples,
    payloadBytes,
  });
  let at = 0;
  for (const { data } of frames) at += data.copy(payload, at);
  return {
    init,
    epoch,
    baseDecodeTime: first.dts,
    firstPts: first.pts,
    endPts: frames.reduce((end, { pts, duration }) => Math.max(end, pts + duration), first.pts),
    duration: frames.reduce((sum, { duration }) => sum + duration, 0),
    keyframe: init.kind === 'audio' || first.sync,
    ingestedAtMs,
    samples,
    payload,
    bytes,
  };
}

/**
 * Merges fragments of one track and epoch, in decode order and at least one, into one `moof` + `mdat` in a single Buffer.
 * Every sample keeps its decode and presentation time: the sample before a hole gets the longer duration.
 *
 * @param sequenceNumber value for `mfhd`; counts up from 1 within a rendition.
 */
export function mergeFragments(fragments: readonly Fragment[], sequenceNumber: number): Buffer {
  const first = fragments[0];
  if (first === undefined) throw new TypeError('there are no fragments to merge');
  const payloadBytes = fragments.reduce((sum, { payload }) => sum + payload.length, 0);
  const { bytes, payload } = layOutMovieFragment({
    sequenceNumber,
    baseDecodeTime: first.baseDecodeTime,
    samples: chainSamples(fragments, first.baseDecodeTime),
    payloadBytes,
  });
  let at = 0;
  for (const fragment of fragments) at += fragment.payload.copy(payload, at);
  return bytes;
}

/** The samples of all fragments, each lasting until the decode time of the next one. */
function chainSamples(fragments: readonly Fragment[], startDts: number): SampleRow[] {
  const rows: SampleRow[] = [];
  let dts = startDts;
  fragments.forEach((fragment, index) => {
    const nextFragmentDts = fragments[index + 1]?.baseDecodeTime;
    let ownDts = fragment.baseDecodeTime;
    fragment.samples.forEach(({ duration, size, sync, compositionOffset }, sampleIndex) => {
      const pts = ownDts + compositionOffset;
      ownDts += duration;
      const isLast = sampleIndex === fragment.samples.length - 1;
      const nextDts = isLast && nextFragmentDts !== undefined ? nextFragmentDts : ownDts;
      // Overlapping fragments leave no room: the sample lasts no time at all, and its pts stays where it was.
      const chained = Math.min(MAX_DURATION, Math.max(0, nextDts - dts));
      rows.push({ duration: chained, size, sync, compositionOffset: pts - dts });
      dts += chained;
    });
  });
  return rows;
}
