import type { FragmentSink } from '../broadcast/fragment-broadcaster.ts';
import { type Fragment, sameInit, toLadderTicks, type TrackInit } from '../media/fragment.ts';

/**
 * A job's output in the registry: opened with the first fragment, kept across the job's runs. Time goes forwards only: what
 * a restarted encoder makes again of the replayed GOP is left out.
 */
export class OutputTrack {
  readonly #open: (init: TrackInit) => FragmentSink;
  #sink: FragmentSink | undefined;
  #newest: Fragment | undefined;
  #closed = false;

  constructor(open: (init: TrackInit) => FragmentSink) {
    this.#open = open;
  }

  /**
   * Hands a fragment out; answers what readers got, or `undefined` if it was left out.
   * @throws AppError `CONFLICT` if the track has another producer.
   */
  emit(fragment: Fragment): Fragment | undefined {
    if (this.#closed || this.#isReplay(fragment)) return undefined;
    const emitted = this.#withKnownInit(fragment);
    this.#sink ??= this.#open(emitted.init);
    this.#newest = emitted;
    this.#sink.emit(emitted);
    return emitted;
  }

  /** Ends the track for its readers. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#sink?.close();
  }

  /** Ends the track as `close()` does, but the next fragment opens it again. */
  withdraw(): void {
    this.#sink?.close();
    this.#sink = undefined;
    this.#newest = undefined;
  }

  #isReplay(fragment: Fragment): boolean {
    const newest = this.#newest;
    if (newest === undefined || fragment.epoch > newest.epoch) return false;
    if (fragment.epoch < newest.epoch) return true;
    const aheadBy = decodeTime(fragment) - decodeTime(newest);
    if (fragment.init.kind === 'video') return aheadBy <= 0;
    // A restarted audio encoder may sit on a frame grid of its own: less than half a frame of overlap is no replay.
    return aheadBy < toLadderTicks(newest.duration, newest.init.timescale) / 2;
  }

  /** A restarted encoder repeats its decoder set-up in an object of its own; readers need not know. */
  #withKnownInit(fragment: Fragment): Fragment {
    const known = this.#newest;
    if (known?.epoch !== fragment.epoch || known.init === fragment.init) return fragment;
    return sameInit(known.init, fragment.init) ? { ...fragment, init: known.init } : fragment;
  }
}

function decodeTime({ baseDecodeTime, init }: Fragment): number {
  return toLadderTicks(baseDecodeTime, init.timescale);
}
