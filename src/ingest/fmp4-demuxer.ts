import { BoxStream } from '../media/cmaf/box-stream.ts';
import { type InitTrack, readInit } from '../media/cmaf/init-reader.ts';
import { type ReadSample, readSamples } from '../media/cmaf/sample-reader.ts';
import type { TrackInit, TrackKind } from '../media/fragment.ts';
import type { IngestFrame } from './publication.ts';

/** A frame with the decoder set-up that it needs. */
export interface DemuxedFrame {
  readonly init: TrackInit;
  readonly frame: IngestFrame;
}

/** Samples that are needed to estimate a frame rate. */
const MIN_RATED_SAMPLES = 5;

interface Source {
  readonly track: InitTrack;
  /** Added to all of the track's times, in its own ticks. */
  readonly shift: number;
  init: TrackInit;
  /** Known from the init, estimated, or given up. */
  rated: boolean;
}

/**
 * Turns an fMP4 byte stream, cut anywhere, into frames. Uses the first video and the first audio track of the init; a new
 * init in mid-stream replaces the old one. Video times become 90 kHz ticks, audio times ticks of the sample rate, both by
 * rounding the absolute time, so that nothing drifts.
 */
export class Fmp4Demuxer {
  readonly #boxes = new BoxStream();
  #sources = new Map<number, Source>();
  #initBytes: Buffer | undefined;
  readonly #keepsTimes: boolean;
  #fragments = 0;

  /** @param keepsTimes whether times may be negative: else whole seconds are put on top of all that an edit list cuts off [false] */
  constructor({ keepsTimes = false }: { readonly keepsTimes?: boolean } = {}) {
    this.#keepsTimes = keepsTimes;
  }

  /** The tracks that the init has and that are used. */
  get kinds(): TrackKind[] {
    return [...this.#sources.values()].map(({ init }) => init.kind);
  }

  /** Complete fragments so far. */
  get fragments(): number {
    return this.#fragments;
  }

  /** True once there is an init. */
  get hasInit(): boolean {
    return this.#initBytes !== undefined;
  }

  /** Bytes of the piece in progress. */
  get bufferedBytes(): number {
    return this.#boxes.bufferedBytes;
  }

  /**
   * Takes the next bytes (copied) and returns the frames that they complete, the tracks interleaved by decode time.
   * @throws AppError `BAD_MEDIA` if the stream is malformed or over a limit; it is lost then.
   */
  push(chunk: Buffer): DemuxedFrame[] {
    return this.#boxes.push(chunk).flatMap(({ type, bytes }) => {
      if (type === 'fragment') return this.#fragment(bytes);
      this.#configure(bytes);
      return [];
    });
  }

  #configure(bytes: Buffer): void {
    if (this.#initBytes?.equals(bytes) === true) return;
    const chosen = new Map<TrackKind, InitTrack>();
    for (const track of readInit(bytes)) {
      if (!chosen.has(track.init.kind)) chosen.set(track.init.kind, track);
    }
    const tracks = [...chosen.values()];
    // Edit lists may cut the start off; whole seconds on top keep all times positive and all tracks in step.
    const cutSeconds = Math.max(0, ...tracks.map(({ editSeconds }) => -editSeconds));
    const startSeconds = this.#keepsTimes ? 0 : Math.ceil(cutSeconds);
    this.#sources = new Map(
      tracks.map((track) => {
        const shift = Math.round((track.editSeconds + startSeconds) * track.timescale);
        const { init } = track;
        return [track.trackId, { track, shift, init, rated: init.kind === 'audio' || init.frameRate !== undefined }];
      }),
    );
    this.#initBytes = bytes;
  }

  #fragment(bytes: Buffer): DemuxedFrame[] {
    const defaults = new Map([...this.#sources].map(([id, { track }]) => [id, track.defaults]));
    const tracks = readSamples(bytes, defaults).map(({ trackId, samples }) => {
      const source = this.#sources.get(trackId);
      return source === undefined ? [] : toFrames(source, samples);
    });
    this.#fragments += 1;
    return interleave(tracks);
  }
}

function toFrames(source: Source, samples: readonly ReadSample[]): DemuxedFrame[] {
  if (!source.rated) estimateFrameRate(source, samples);
  const { track, shift, init } = source;
  const convert = (ticks: number): number =>
    track.timescale === init.timescale
      ? ticks + shift
      : Math.round(((ticks + shift) * init.timescale) / track.timescale);
  return samples.map(({ dts, pts, duration, sync, data }) => {
    const start = convert(dts);
    return {
      init,
      frame: {
        dts: start,
        pts: convert(pts),
        duration: Math.max(1, convert(dts + duration) - start),
        sync: sync || init.kind === 'audio',
        data,
      },
    };
  });
}

/** From the track's first fragment or not at all: afterwards the init is in use. */
function estimateFrameRate(source: Source, samples: readonly ReadSample[]): void {
  if (samples.length === 0) return;
  source.rated = true;
  const ticks = samples.reduce((sum, { duration }) => sum + duration, 0);
  if (samples.length < MIN_RATED_SAMPLES || ticks === 0) return;
  const frameRate = Math.round((samples.length * source.track.timescale * 1000) / ticks) / 1000;
  source.init = Object.freeze({ ...source.init, frameRate });
}

/** All frames in the order of their decode times; those of a track keep their order. */
function interleave(tracks: readonly (readonly DemuxedFrame[])[]): DemuxedFrame[] {
  if (tracks.length === 1) return [...(tracks[0] ?? [])];
  const seconds = ({ init, frame }: DemuxedFrame): number => frame.dts / init.timescale;
  return tracks.flat().sort((a, b) => seconds(a) - seconds(b));
}
