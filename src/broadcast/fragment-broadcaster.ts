import { type Observable, Subject } from 'rxjs';
import type { Fragment, TrackInit } from '../media/fragment.ts';
import type { TrackKey } from '../media/track-key.ts';
import { GopBuffer } from './gop-buffer.ts';
import './reader-errors.ts';

/** The reading side of a broadcaster: what every consumer gets. */
export interface FragmentSource {
  readonly key: TrackKey;
  /** Init of the newest fragment, or the one the track was opened with. */
  readonly init: TrackInit;
  /** Every fragment from now on, synchronously as it is emitted; completes when the track closes. What a subscriber throws goes to `onReaderError`. */
  readonly fragments$: Observable<Fragment>;
  /** The fragments since the newest keyframe: where a reader that joins now may start. Empty if that GOP is over the buffer's limits. */
  readonly currentGop: readonly Fragment[];
  readonly closed: boolean;
}

/** The writing side: held by the one producer of the track. */
export interface FragmentSink {
  readonly key: TrackKey;
  /** Hands a fragment to all readers; never waits and never throws. Ignored after `close()`. */
  emit(fragment: Fragment): void;
  /** Ends the track for all readers. Idempotent. */
  close(): void;
}

/** Limits of what a broadcaster keeps for readers that join in mid-GOP. */
export const GOP_BUFFER_LIMITS = Object.freeze({ maxBytes: 64 * 1024 * 1024, maxMediaMs: 20_000 });

/** Fans one track's fragments out to any number of readers. */
export class FragmentBroadcaster implements FragmentSource, FragmentSink {
  readonly key: TrackKey;
  readonly #subject = new Subject<Fragment>();
  readonly #gop = new GopBuffer(GOP_BUFFER_LIMITS);
  #init: TrackInit;
  #closed = false;

  constructor(key: TrackKey, init: TrackInit) {
    this.key = key;
    this.#init = init;
  }

  get init(): TrackInit {
    return this.#init;
  }

  get fragments$(): Observable<Fragment> {
    return this.#subject.asObservable();
  }

  get currentGop(): readonly Fragment[] {
    return this.#gop.fragments;
  }

  get closed(): boolean {
    return this.#closed;
  }

  emit(fragment: Fragment): void {
    if (this.#closed) return;
    this.#init = fragment.init;
    this.#gop.push(fragment);
    this.#subject.next(fragment);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#subject.complete();
    this.#gop.clear();
  }
}
