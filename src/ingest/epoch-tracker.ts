import { sameInit, type TrackInit, type TrackKind } from '../media/fragment.ts';

/** Largest hole, in ms of media time, that still counts as the same timeline. */
export const MAX_GAP_MS = 10_000;

/** A frame that lies this far behind its predecessor is out of order; further back the publisher's clock was reset. */
const REORDER_TOLERANCE_MS = 500;

/** Video that starts later than this after the audio gets a timeline of its own. */
const LATE_VIDEO_MS = 1_000;

/** Room for tracks that do not start at exactly the same time. */
const START_SKEW_MS = 1_000;

interface TrackState {
  init: TrackInit;
  epoch: number;
  lastMs: number;
}

/**
 * Decides which epoch of the broadcast each frame belongs to. Video is the master: its jumps (backwards, or more than
 * `MAX_GAP_MS` forwards) and any change of an init begin an epoch; audio follows as soon as its times fit.
 */
export class EpochTracker {
  readonly #tracks = new Map<TrackKind, TrackState>();
  readonly #nextEpoch: () => number;
  #epoch: number;
  #startMs = 0;
  #newestMs = 0;

  /** @param nextEpoch numbers a new epoch: larger than any that the broadcast had before. */
  constructor(nextEpoch: () => number) {
    this.#nextEpoch = nextEpoch;
    this.#epoch = nextEpoch();
  }

  /** Number of the current epoch. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The epoch of a frame with this decode time, or `undefined` if the frame fits nowhere and is to be dropped. */
  place(init: TrackInit, dtsMs: number): number | undefined {
    const state = this.#tracks.get(init.kind);
    const epoch = state === undefined ? this.#placeFirst(init.kind, dtsMs) : this.#placeNext(state, init, dtsMs);
    if (epoch === undefined) return undefined;
    this.#tracks.set(init.kind, { init, epoch, lastMs: dtsMs });
    if (epoch === this.#epoch) this.#newestMs = Math.max(this.#newestMs, dtsMs);
    return epoch;
  }

  #placeFirst(kind: TrackKind, dtsMs: number): number | undefined {
    if (this.#tracks.size === 0) {
      this.#startMs = dtsMs;
      this.#newestMs = dtsMs;
      return this.#epoch;
    }
    if (kind === 'video' && (!this.#isNear(dtsMs) || this.#newestMs - this.#startMs > LATE_VIDEO_MS)) {
      return this.#begin(dtsMs);
    }
    return this.#isNear(dtsMs) ? this.#epoch : undefined;
  }

  #placeNext(state: TrackState, init: TrackInit, dtsMs: number): number | undefined {
    const behind = state.epoch < this.#epoch;
    if (!sameInit(state.init, init)) return behind && this.#isNear(dtsMs) ? this.#epoch : this.#begin(dtsMs);
    const stepMs = dtsMs - state.lastMs;
    const continuous = stepMs > -REORDER_TOLERANCE_MS && stepMs <= MAX_GAP_MS;
    if (behind && this.#isNear(dtsMs) && (!continuous || dtsMs >= this.#startMs)) return this.#epoch;
    if (continuous) return stepMs > 0 ? state.epoch : undefined;
    if (init.kind === 'video' || !this.#tracks.has('video')) return this.#begin(dtsMs);
    return this.#isNear(dtsMs) && dtsMs > state.lastMs ? this.#epoch : undefined;
  }

  #begin(dtsMs: number): number {
    this.#epoch = this.#nextEpoch();
    this.#startMs = dtsMs;
    this.#newestMs = dtsMs;
    return this.#epoch;
  }

  #isNear(dtsMs: number): boolean {
    return dtsMs >= this.#startMs - START_SKEW_MS && Math.abs(dtsMs - this.#newestMs) <= MAX_GAP_MS;
  }
}
