import type { RenditionSpec } from '../ladder/rendition.ts';
import type { Fragment, TrackInit } from '../media/fragment.ts';
import type { TrackKey } from '../media/track-key.ts';

/** What one run of a transcoder gets to know. A new init or epoch of the source is a new run. */
export interface TranscoderContext {
  /** The source track. */
  readonly source: TrackKey;
  readonly rendition: RenditionSpec;
  /** Init and epoch of every fragment that this run will see. */
  readonly init: TrackInit;
  readonly epoch: number;
  /** Publishes an output fragment under the rendition's name; never throws. */
  readonly emit: (fragment: Fragment) => void;
  /** Tells that this run is broken (child died, output invalid); the job ends it and starts the next one. */
  readonly fail: (error: Error) => void;
}

/** One run of one encoder. Whatever its methods throw is caught by the job, counted and labelled by phase. */
export interface Transcoder {
  /** Fragments after which a fresh run takes over at the next keyframe; without it the run goes on as long as it can. */
  readonly lifetimeFragments?: number;
  /** Sets up; a throw skips the drain. */
  start(): void | Promise<void>;
  /** Takes the next fragment, waiting while the encoder's input is full; a throw loses this fragment only. */
  push(fragment: Fragment): void | Promise<void>;
  /** The source or this run of it has ended: hands out what is left, then frees everything. */
  stop(): void | Promise<void>;
  /**
   * Frees everything at once, handing out nothing more: the rung was removed or the run is broken. Never throws or
   * rejects; a promise resolves when all is freed, within seconds.
   */
  abort(): void | Promise<void>;
  /** Facts for `GET /api/v1/transcodes`. */
  facts?(): TranscoderFacts;
}

/** What a transcoder can tell about itself. */
export interface TranscoderFacts {
  readonly pid?: number;
  readonly encoder?: string;
}

/** Why a factory does not serve a (rendition, source track) pair; shown to admins. */
export interface OptOut {
  readonly optOut: string;
  /** True if the pair is another factory's by design, so that it is not worth telling an admin. */
  readonly servedElsewhere?: boolean;
}

/** Makes the transcoders of one kind, e.g. `ffmpeg`. */
export interface TranscoderFactory {
  readonly name: string;
  /** A transcoder for this run, or the reason for none. Pure: nothing starts before `start()`. */
  build(context: TranscoderContext): Transcoder | OptOut;
}
