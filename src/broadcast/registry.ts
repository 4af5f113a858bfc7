import { Observable, Subject } from 'rxjs';
import type { TrackInit } from '../media/fragment.ts';
import { formatTrackKey, type TrackKey } from '../media/track-key.ts';
import { AppError } from '../util/errors.ts';
import { FragmentBroadcaster, type FragmentSink, type FragmentSource } from './fragment-broadcaster.ts';

/** The reading side of the registry: what exists and what comes and goes. */
export interface TrackDirectory {
  /** Every open track, at once for those that are open already, then as each opens. */
  readonly opened$: Observable<FragmentSource>;
  /** Every track that closes from now on, after its last fragment. */
  readonly closed$: Observable<FragmentSource>;
  /** The broadcast's name each time that a producer of it has ended. */
  readonly withdrawn$: Observable<string>;
  /** True if somebody works on a track of the broadcast that may not be open yet. */
  announces(broadcast: string): boolean;
  get(key: TrackKey): FragmentSource | undefined;
  /** Open tracks, oldest first; those of one broadcast if it is named. */
  list(broadcast?: string): FragmentSource[];
}

/** The one meeting place of ingest, transcoders and packagers. */
export class BroadcasterRegistry implements TrackDirectory {
  readonly #tracks = new Map<string, FragmentBroadcaster>();
  readonly #opened = new Subject<FragmentSource>();
  readonly #closed = new Subject<FragmentSource>();
  /** How many producers are at work by broadcast. */
  readonly #announced = new Map<string, number>();
  readonly #withdrawn = new Subject<string>();

  readonly opened$ = new Observable<FragmentSource>((subscriber) => {
    for (const track of [...this.#tracks.values()]) subscriber.next(track);
    return this.#opened.subscribe(subscriber);
  });

  readonly closed$: Observable<FragmentSource> = this.#closed.asObservable();

  readonly withdrawn$: Observable<string> = this.#withdrawn.asObservable();

  announces(broadcast: string): boolean {
    return this.#announced.has(broadcast);
  }

  get(key: TrackKey): FragmentSource | undefined {
    return this.#tracks.get(formatTrackKey(key));
  }

  list(broadcast?: string): FragmentSource[] {
    const tracks = [...this.#tracks.values()];
    return broadcast === undefined ? tracks : tracks.filter((track) => track.key.broadcast === broadcast);
  }

  /**
   * Tells that a track of a broadcast will be opened once there is something to put into it, so that nobody takes the
   * broadcast for complete before. What is returned, called once, tells that the producer has ended.
   */
  announce(broadcast: string): () => void {
    this.#announced.set(broadcast, (this.#announced.get(broadcast) ?? 0) + 1);
    return () => {
      const left = (this.#announced.get(broadcast) ?? 1) - 1;
      if (left > 0) this.#announced.set(broadcast, left);
      else this.#announced.delete(broadcast);
      this.#withdrawn.next(broadcast);
    };
  }

  /**
   * Opens a track and hands its only writing handle to the caller, who closes it.
   * @throws AppError `CONFLICT` if the track is open: a track has one producer.
   */
  open(key: TrackKey, init: TrackInit): FragmentSink {
    const name = formatTrackKey(key);
    if (this.#tracks.has(name)) {
      throw new AppError('CONFLICT', `track "${name}" has a producer already; end that one first`);
    }
    const broadcaster = new FragmentBroadcaster(key, init);
    this.#tracks.set(name, broadcaster);
    broadcaster.fragments$.subscribe({
      complete: () => {
        this.#tracks.delete(name);
        this.#closed.next(broadcaster);
      },
    });
    this.#opened.next(broadcaster);
    return broadcaster;
  }
}
