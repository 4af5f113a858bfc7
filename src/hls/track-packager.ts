import { type Fragment, LADDER_TIMESCALE, toLadderTicks, type TrackKind } from '../media/fragment.ts';
import { KEYFRAME_TOLERANCE } from './epoch-observations.ts';
import type { HlsOptions } from './hls-options.ts';
import { PackagedTrack, type PackagedTrackOptions } from './packaged-track.ts';
import { PendingFragments } from './pending-fragments.ts';
import type { Slot } from './slot.ts';
import type { Place, Timeline } from './timeline.ts';

/** Audio that begins later than this (ladder ticks), or than one of its frames, after its slot has lost the slot's beginning. */
const AUDIO_START_TOLERANCE = 0.1 * LADDER_TIMESCALE;

/** The tracks of a publisher need not start at the same time. */
const EPOCH_START_TOLERANCE = 0.5 * LADDER_TIMESCALE;

interface TrackPackagerOptions extends PackagedTrackOptions {
  readonly timeline: Timeline;
}

/**
 * Packages one track of one rendition: cuts its fragments at the timeline's slots and states a gap for each slot that the
 * track missed.
 */
export class TrackPackager {
  readonly kind: TrackKind;
  /** What is packaged so far. */
  readonly track: PackagedTrack;
  readonly #timeline: Timeline;
  readonly #options: HlsOptions;
  readonly #pending: PendingFragments;
  /** Number of the next row; `undefined` until the track has begun its first segment. */
  #nextMsn: number | undefined;
  #awaitsKeyframe = true;
  #dropped = 0;

  constructor({ timeline, ...packaged }: TrackPackagerOptions) {
    const { kind, options } = packaged;
    this.kind = kind;
    this.track = new PackagedTrack(packaged);
    this.#timeline = timeline;
    this.#options = options;
    this.#pending = new PendingFragments({ maxBytes: options.maxPendingBytes, maxMs: options.maxPendingMs });
  }

  /** Fragments that no segment could take, and those that wait for the timeline's decision. */
  get counters(): { readonly droppedFragments: number; readonly waiting: number } {
    return { droppedFragments: this.#dropped, waiting: this.#pending.length };
  }

  /** Takes the track's next fragment. */
  push(fragment: Fragment): void {
    if (this.#pending.length === 0 && this.#place(fragment)) return;
    const waiting = this.#pending.length;
    if (this.#pending.push(fragment)) return;
    this.#dropped += waiting + 1;
    this.#awaitsKeyframe = true;
  }

  /** The timeline may have decided more. */
  advance(): void {
    while (this.#pending.first !== undefined && this.#place(this.#pending.first)) this.#pending.shift();
    while (this.#isTooFarBehind()) this.#giveUpSlot();
  }

  /** No more fragments will come and the timeline has ended. */
  finish(): void {
    this.advance();
    this.#closeOpen();
  }

  /** True if the fragment is done with; false if it has to wait. */
  #place(fragment: Fragment): boolean {
    const { init, keyframe } = fragment;
    if (this.kind === 'video' && !keyframe) {
      this.#continueGop(fragment);
      return true;
    }
    const pts = toLadderTicks(fragment.firstPts, init.timescale);
    const place = this.#timeline.locate(fragment.epoch, pts, this.kind === 'video' ? KEYFRAME_TOLERANCE : 0);
    if (place === 'undecided') return false;
    this.#awaitsKeyframe = !this.#enter(place, fragment, pts);
    if (this.#awaitsKeyframe) this.#dropped += 1;
    return true;
  }

  /** A frame that needs those before it follows them into their segment. */
  #continueGop(fragment: Fragment): void {
    // Another init object means another run of the encoder, whose pictures refer to its own.
    if (this.track.open?.run !== fragment.init) this.#awaitsKeyframe = true;
    if (this.#awaitsKeyframe) this.#dropped += 1;
    else this.track.open?.push(fragment);
  }

  /** Puts a fragment at which decoding may start into its slot; false if the slot cannot take it. */
  #enter(place: Place, fragment: Fragment, pts: number): boolean {
    if (typeof place === 'string' || place.msn < (this.#nextMsn ?? -Infinity)) return false;
    const { open } = this.track;
    if (open?.slot.msn === place.msn) {
      if (!open.accepts(fragment)) return false;
      open.push(fragment);
      return true;
    }
    this.#closeOpen();
    if (!this.#startsSlot(place, fragment, pts)) return false;
    this.#fillGaps(place.msn);
    this.#nextMsn = place.msn;
    this.track.begin(place, fragment);
    return true;
  }

  #startsSlot(slot: Slot, { duration, init }: Fragment, pts: number): boolean {
    if (this.kind === 'video') return Math.abs(pts - slot.startPts) <= KEYFRAME_TOLERANCE;
    const isFirstOfEpoch = this.#timeline.slot(slot.msn - 1)?.epoch !== slot.epoch;
    const frame = toLadderTicks(duration, init.timescale);
    const tolerance = isFirstOfEpoch ? EPOCH_START_TOLERANCE : Math.max(AUDIO_START_TOLERANCE, frame);
    return pts - slot.startPts <= tolerance;
  }

  #closeOpen(): void {
    const slot = this.track.open?.slot;
    if (slot === undefined) return;
    const next = this.#timeline.slot(slot.msn + 1);
    this.track.close(next?.epoch !== slot.epoch);
    this.#nextMsn = slot.msn + 1;
  }

  /** Both in segments and in time: after a burst every encoder is behind for a while. */
  #isTooFarBehind(): boolean {
    if (this.#nextMsn === undefined) return false;
    const { newest, newestArrivalMs } = this.#timeline;
    const { maxLagSegments, segmentTargetMs } = this.#options;
    if ((newest?.msn ?? 0) - this.#nextMsn <= maxLagSegments) return false;
    const closedAtMs = this.#timeline.slot(this.#nextMsn)?.closedAtMs ?? -Infinity;
    return newestArrivalMs - closedAtMs > maxLagSegments * segmentTargetMs;
  }

  #giveUpSlot(): void {
    if (this.track.open === undefined) this.#fillGaps((this.#nextMsn ?? 0) + 1);
    else this.#closeOpen();
    this.#awaitsKeyframe = true;
  }

  /** States a gap for each slot before `msn` that has no row yet. */
  #fillGaps(msn: number): void {
    if (this.#nextMsn === undefined) return;
    for (let missing = this.#nextMsn; missing < msn; missing += 1) {
      const slot = this.#timeline.slot(missing);
      if (slot === undefined) this.track.release();
      else this.track.addGap(slot);
      this.#nextMsn = missing + 1;
    }
  }
}
