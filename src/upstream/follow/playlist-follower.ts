import { UpstreamFailure } from '../../remote/upstream-failure.ts';
import type { Clock } from '../../util/clock.ts';
import type { Closable } from '../../util/closer.ts';
import { toError } from '../../util/errors.ts';
import type { MediaItem } from '../pool/media-item.ts';
import type { PooledMedia } from '../pool/pooled-media.ts';
import type { Prefetcher } from '../pool/prefetcher.ts';
import type { PlaylistLoader } from './playlist-loader.ts';
import { PlaylistProgress, type PlaylistProgressOptions, type Stay } from './playlist-progress.ts';
import type { PlaylistSnapshot } from './playlist-snapshot.ts';

/** Failed segments in a row after which the next address is taken. */
const MAX_FAILED_SEGMENTS = 3;
/** After a failed segment the playlist is loaded again, so long after the beginning of the load before. */
const MIN_RELOAD_MS = 500;

/** What a follower works with. */
export interface PlaylistFollowerOptions extends Omit<PlaylistProgressOptions, 'onItems'> {
  readonly loader: Pick<PlaylistLoader, 'load' | 'forget'>;
  readonly prefetcher: Pick<Prefetcher, 'ask' | 'update' | 'close'>;
  readonly clock: Clock;
  /** How long it goes on when nobody holds it any more. */
  readonly lingerMs: number;
}

/** Who asks for something. */
export interface AskOptions {
  /** Tells players apart, so that each one's position is known. */
  readonly viewer?: string;
  /** Releases what was asked for when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** A stay at an address that can be broken off. */
interface Turn extends Stay {
  readonly over: AbortController;
}

/**
 * Loads the playlist of one rendition at the right times as long as somebody holds it; goes on at another address when
 * the rotation takes another one.
 */
export class PlaylistFollower implements Closable {
  readonly id: string;
  readonly #options: PlaylistFollowerOptions;
  readonly #progress: PlaylistProgress;
  readonly #stopListening: () => void;
  readonly #failedSegments = new Set<string>();
  #holders = 0;
  /** Ends the wait for somebody who holds it again. */
  #lingering = new AbortController();
  #turn: Turn;
  #run: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;
  /** Ends the wait for the next load. */
  #pausing = new AbortController();
  #isClosed = false;

  constructor(options: PlaylistFollowerOptions) {
    this.id = options.id;
    this.#options = options;
    const { rotation, prefetcher } = options;
    this.#progress = new PlaylistProgress({ ...options, onItems: (items) => prefetcher.update(items) });
    this.#turn = this.#newTurn();
    this.#stopListening = rotation.onSwitch(() => {
      const before = this.#turn;
      this.#turn = this.#newTurn();
      this.#failedSegments.clear();
      before.over.abort();
    });
  }

  /** The newest snapshot. */
  get current(): PlaylistSnapshot | undefined {
    return this.#progress.latest.value;
  }

  /** See `FollowedPlaylist.confirmedAtMs`. */
  get confirmedAtMs(): number | undefined {
    return this.#progress.confirmedAtMs;
  }

  /** Nothing new has come for suspiciously long. */
  get isStalled(): boolean {
    return this.#progress.isStalled;
  }

  get isRunning(): boolean {
    return this.#run !== undefined;
  }

  get isHeld(): boolean {
    return this.#holders > 0;
  }

  /** Follows the playlist until the returned function is called, and a little longer. */
  hold(): () => void {
    this.#holders += 1;
    this.#lingering.abort();
    if (this.#holders === 1 && !this.isRunning) {
      this.#progress.begin();
      this.#options.loader.forget();
    }
    this.#start();
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#holders -= 1;
      if (this.#holders === 0) this.#linger();
    };
  }

  /** See `FollowedPlaylist.next()`. */
  next(afterVersion: number, signal?: AbortSignal): Promise<PlaylistSnapshot> {
    return this.#progress.latest.after(afterVersion, () => this.#progress.hasEnded && !this.isRunning, signal);
  }

  /** See `FollowedPlaylist.ask()`. */
  ask(item: MediaItem, options: AskOptions): PooledMedia {
    const { address } = this.#turn;
    const newest = this.#progress.item(item.id) ?? item;
    const media = this.#options.prefetcher.ask(newest, options);
    const isFetched = media.origin === 'network' || media.origin === 'flight';
    if (!isFetched || newest.kind === 'key') return media;
    void media.settled.then(() => {
      const { error, state } = media;
      const isOurs = error instanceof UpstreamFailure && (error.kind === 'aborted' || error.kind === 'busy');
      if (state === 'loading' || isOurs || this.#turn.address !== address) return;
      this.report(newest, state === 'done' ? 'ok' : 'failed');
    });
    return media;
  }

  /** See `FollowedPlaylist.report()`. */
  report(item: MediaItem, outcome: 'ok' | 'failed'): void {
    if (outcome === 'ok') {
      this.#failedSegments.clear();
      return;
    }
    this.#failedSegments.add(item.id);
    const failed = this.#failedSegments.size;
    if (failed >= MAX_FAILED_SEGMENTS) {
      this.#options.rotation.giveUp(this.#turn.address, `its last ${failed} segments could not be fetched`);
    }
    this.#pausing.abort();
    // A recording is not loaded again by itself, but its addresses may have become invalid.
    if (this.isHeld) this.#start();
  }

  /** Ends for good. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopListening();
    this.#lingering.abort();
    this.#progress.latest.close();
    await this.#stop();
    await this.#options.prefetcher.close();
  }

  #start(): void {
    if (this.#run !== undefined || this.#isClosed) return;
    const stop = new AbortController();
    this.#turn = this.#newTurn();
    const done = this.#follow(stop.signal).finally(() => {
      this.#run = undefined;
      this.#progress.latest.wake();
      // Somebody may have come back while it was ending.
      if (stop.signal.aborted && this.isHeld) this.#start();
    });
    this.#run = { stop, done };
  }

  #linger(): void {
    const lingering = new AbortController();
    this.#lingering = lingering;
    void this.#options.clock.wait(this.#options.lingerMs, lingering.signal).then(() => {
      if (!lingering.signal.aborted) void this.#stop();
    });
  }

  async #stop(): Promise<void> {
    const run = this.#run;
    run?.stop.abort();
    this.#turn.over.abort();
    await run?.done;
  }

  async #follow(stopped: AbortSignal): Promise<void> {
    const isStopped = (): boolean => stopped.aborted;
    while (!isStopped()) {
      const turn = this.#turn;
      const startedMs = this.#options.clock.nowMs();
      let waitMs = 0;
      try {
        const load = await this.#options.loader.load(turn.address, turn.over.signal);
        if (isStopped()) return;
        if (turn !== this.#turn) continue;
        const dueMs = startedMs + this.#progress.loaded(turn, load);
        if (this.#progress.hasEnded) return;
        if (turn !== this.#turn) continue;
        waitMs = dueMs - this.#options.clock.nowMs();
      } catch (thrown) {
        if (isStopped()) return;
        if (turn !== this.#turn) continue;
        waitMs = this.#progress.failed(turn, toError(thrown));
      }
      if (waitMs > 0) await this.#pause(waitMs, startedMs);
    }
  }

  /** Waits for the next load; shorter when another turn begins or a segment has failed. */
  async #pause(ms: number, startedMs: number): Promise<void> {
    const { over } = this.#turn;
    const { clock } = this.#options;
    const pausing = new AbortController();
    const end = (): void => pausing.abort();
    this.#pausing = pausing;
    over.signal.addEventListener('abort', end, { once: true });
    if (!over.signal.aborted) await clock.wait(ms, pausing.signal);
    over.signal.removeEventListener('abort', end);
    const leftMs = startedMs + MIN_RELOAD_MS - clock.nowMs();
    if (pausing.signal.aborted && leftMs > 0) await clock.wait(leftMs, over.signal);
  }

  #newTurn(): Turn {
    return { ...this.#progress.stay(), over: new AbortController() };
  }
}
