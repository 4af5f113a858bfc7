import { UpstreamFailure } from '../../remote/upstream-failure.ts';
import type { Clock } from '../../util/clock.ts';
import type { Closable } from '../../util/closer.ts';
import { type Deferred, deferred } from '../../util/deferred.ts';
import { AppError, reasonOf, toError } from '../../util/errors.ts';
import type { MediaPlaylist } from '../playlist/media-playlist.ts';
import type { MediaItem } from '../pool/media-item.ts';
import type { PooledMedia } from '../pool/pooled-media.ts';
import type { Prefetcher } from '../pool/prefetcher.ts';
import { abortable } from './abortable.ts';
import { Continuity } from './continuity.ts';
import type { DiscontinuityShifts } from './discontinuity-shifts.ts';
import type { PlaylistLoad, PlaylistLoader } from './playlist-loader.ts';
import type { PlaylistSnapshot } from './playlist-snapshot.ts';
import { reloadIntervalMs, stallLimits } from './reload-interval.ts';
import { isOver, SnapshotBuilder } from './snapshot-builder.ts';
import type { UpstreamAddress, UrlRotation } from './url-rotation.ts';

/** Failed segments in a row after which the next address is taken. */
const MAX_FAILED_SEGMENTS = 3;
/** After a failed segment the playlist is loaded again, so long after the beginning of the load before. */
const MIN_RELOAD_MS = 500;
const UNKNOWN_TARGET_MS = 6_000;
/** A server that never makes us wait is not asked more often than this. */
const MIN_INTERVAL_MS = 100;
const BUSY_DELAY_MS = 1_000;
const MISSING_DELAY_MS = 5_000;

/** What a follower works with. */
export interface PlaylistFollowerOptions {
  /** Of the rendition. */
  readonly id: string;
  /** Begins the ids of its items. */
  readonly prefix: string;
  readonly loader: PlaylistLoader;
  readonly rotation: UrlRotation;
  readonly shifts: DiscontinuityShifts;
  readonly prefetcher: Prefetcher;
  readonly clock: Clock;
  /** Number of addresses. */
  readonly addresses: number;
  /** How long it goes on when nobody holds it any more. */
  readonly lingerMs: number;
  readonly onEvent: (event: FollowerEvent) => void;
}

/** Who asks for something. */
export interface AskOptions {
  /** Tells players apart, so that each one's position is known. */
  readonly viewer?: string;
  /** Releases what was asked for when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** What a follower reports. */
export type FollowerEvent =
  | { readonly kind: 'loaded' | 'unchanged' | 'ended' | 'stale' }
  | { readonly kind: 'error' | 'stalled' | 'broke'; readonly reason: string };

/** Whose playlist, and for how long: one turn at an address. */
interface Turn {
  readonly address: UpstreamAddress;
  readonly over: AbortController;
  /** When something new came last, or when it began. */
  newAtMs: number;
}

/**
 * Loads the playlist of one rendition at the right times as long as somebody holds it, and makes snapshots of it; goes on
 * at another address when one fails, stalls or ends.
 */
export class PlaylistFollower implements Closable {
  readonly id: string;
  readonly #options: PlaylistFollowerOptions;
  readonly #continuity: Continuity;
  readonly #builder: SnapshotBuilder;
  readonly #stopListening: () => void;
  readonly #failedSegments = new Set<string>();
  /** Addresses at which a live playlist came to its end. */
  readonly #endedAt = new Set<number>();
  #changed: Deferred<void> = deferred();
  #snapshot: PlaylistSnapshot | undefined;
  /** When something new came last, at whatever address. */
  #newAtMs: number;
  #confirmedAtMs: number | undefined;
  #holders = 0;
  #lingering = new AbortController();
  #turn: Turn;
  #run: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;
  #soon = new AbortController();
  #isStalled = false;
  #isClosed = false;

  constructor(options: PlaylistFollowerOptions) {
    this.id = options.id;
    this.#options = options;
    const { shifts, prefix, clock, rotation } = options;
    this.#continuity = new Continuity({ shifts, firstEra: Math.floor(clock.nowMs() / 1_000) });
    this.#builder = new SnapshotBuilder(prefix);
    this.#turn = this.#newTurn(rotation.current);
    this.#newAtMs = clock.nowMs();
    this.#stopListening = rotation.onSwitch(({ to }) => {
      const before = this.#turn;
      this.#turn = this.#newTurn(to);
      before.over.abort();
    });
  }

  get current(): PlaylistSnapshot | undefined {
    return this.#snapshot;
  }

  /** When upstream last gave a playlist that was right, changed or not, by the clock. */
  get confirmedAtMs(): number | undefined {
    return this.#confirmedAtMs;
  }

  /** Nothing new has come for suspiciously long. */
  get isStalled(): boolean {
    return this.#isStalled;
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
  async next(afterVersion: number, signal?: AbortSignal): Promise<PlaylistSnapshot> {
    for (;;) {
      const snapshot = this.#snapshot;
      if (snapshot !== undefined && snapshot.version > afterVersion) return snapshot;
      if (this.#isClosed) throw new AppError('UNAVAILABLE', 'the source is no longer followed');
      if (snapshot?.ended === true && !this.isRunning) throw new AppError('GONE', 'the source has come to its end');
      await abortable(this.#changed.promise, signal);
    }
  }

  /** See `FollowedPlaylist.ask()`. */
  ask(item: MediaItem, options: AskOptions): PooledMedia {
    const { address } = this.#turn;
    const newest = this.#builder.item(item.id) ?? item;
    const media = this.#options.prefetcher.ask(newest, options);
    if (media.origin === 'memory' || media.origin === 'disk' || newest.kind === 'key' || newest.kind === 'text')
      return media;
    void media.settled.then(() => {
      const { error, state } = media;
      if (state === 'loading' || (error instanceof UpstreamFailure && error.kind === 'aborted')) return;
      if (this.#turn.address === address) this.report(newest, state === 'done' ? 'ok' : 'failed');
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
    if (this.#failedSegments.size >= MAX_FAILED_SEGMENTS) {
      const reason = `its last ${this.#failedSegments.size} segments could not be fetched`;
      this.#failedSegments.clear();
      this.#options.rotation.giveUp(this.#turn.address, reason);
    } else this.#soon.abort();
    // A recording is not loaded again by itself, but its addresses may have become invalid.
    if (this.isHeld) this.#start();
  }

  /** Ends for good. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopListening();
    this.#lingering.abort();
    this.#changed.reject(new AppError('UNAVAILABLE', 'the source is no longer followed'));
    await this.#stop();
    await this.#options.prefetcher.close();
  }

  #start(): void {
    if (this.#run !== undefined || this.#isClosed) return;
    const stop = new AbortController();
    this.#turn = this.#newTurn(this.#options.rotation.current);
    this.#endedAt.clear();
    const done = this.#follow(stop.signal).finally(() => {
      this.#run = undefined;
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
      let waitMs: number;
      try {
        const load = await this.#options.loader.load(turn.address, turn.over.signal);
        if (isStopped()) return;
        if (turn !== this.#turn) continue;
        waitMs = this.#take(turn, load);
        if (this.#snapshot?.ended === true) return;
        if (turn !== this.#turn) continue;
        waitMs -= this.#options.clock.nowMs() - startedMs;
      } catch (thrown) {
        if (isStopped()) return;
        if (turn !== this.#turn) continue;
        waitMs = this.#fail(turn, toError(thrown));
      }
      if (waitMs > 0) await this.#pause(waitMs, startedMs);
    }
  }

  /** Waits for the next load; shorter when another turn begins or a segment has failed. */
  async #pause(ms: number, startedMs: number): Promise<void> {
    const { over } = this.#turn;
    const soon = new AbortController();
    const wake = (): void => soon.abort();
    over.signal.addEventListener('abort', wake, { once: true });
    this.#soon = soon;
    if (!over.signal.aborted) await this.#options.clock.wait(ms, soon.signal);
    over.signal.removeEventListener('abort', wake);
    const leftMs = MIN_RELOAD_MS - (this.#options.clock.nowMs() - startedMs);
    if (soon.signal.aborted && leftMs > 0) await this.#options.clock.wait(leftMs, over.signal);
  }

  /** Takes what a load gave; how long after its beginning the next one is due, ms. */
  #take(turn: Turn, { playlist, wasHeld, holdsNext }: PlaylistLoad): number {
    const { clock, rotation, onEvent } = this.#options;
    this.#confirmedAtMs = clock.nowMs();
    onEvent({ kind: playlist === undefined ? 'unchanged' : 'loaded' });
    const hadNew = playlist !== undefined && this.#apply(turn, playlist);
    if (hadNew) {
      turn.newAtMs = this.#newAtMs = clock.nowMs();
      this.#isStalled = false;
      rotation.succeeded(turn.address, this.id);
    }
    const last = playlist ?? this.#snapshot?.playlist;
    if (last === undefined) return UNKNOWN_TARGET_MS / 2;
    if (isOver(last)) this.#end(turn, last);
    else if (!hadNew) this.#checkStall(turn, last.targetDurationMs);
    return holdsNext && (hadNew || !wasHeld) ? MIN_INTERVAL_MS : reloadIntervalMs(last, hadNew);
  }

  /** Makes a snapshot of a playlist; whether it has something new. */
  #apply({ address }: Turn, playlist: MediaPlaylist): boolean {
    const { rotation, onEvent, clock } = this.#options;
    const { giveUpMs } = stallLimits(playlist.targetDurationMs);
    const { kind, brokeBecause } = this.#continuity.apply(playlist, {
      ...{ index: address.index, switches: rotation.failovers },
      hasStalled: clock.nowMs() - this.#newAtMs >= giveUpMs,
    });
    if (kind === 'stale') {
      onEvent({ kind: 'stale' });
      return false;
    }
    if (brokeBecause !== undefined) onEvent({ kind: 'broke', reason: brokeBecause });
    const before = this.#snapshot;
    const isRecorded = before?.isRecorded ?? true;
    const now = this.#publish(playlist, isRecorded && isOver(playlist));
    return (
      kind === 'grown' || before === undefined || now.trailing.head.parts.length > before.trailing.head.parts.length
    );
  }

  #publish(playlist: MediaPlaylist, ended: boolean): PlaylistSnapshot {
    const snapshot = this.#builder.build(this.#continuity, playlist, { ended });
    this.#snapshot = snapshot;
    this.#options.prefetcher.update(snapshot.segments.filter(({ segment }) => !segment.isGap).map(({ item }) => item));
    const changed = this.#changed;
    this.#changed = deferred();
    changed.resolve();
    return snapshot;
  }

  /** A live playlist is over when it has ended at every address. */
  #end({ address }: Turn, playlist: MediaPlaylist): void {
    const { rotation, addresses, onEvent } = this.#options;
    if (this.#snapshot?.isRecorded === false) {
      this.#endedAt.add(address.index);
      if (this.#endedAt.size < addresses) {
        rotation.giveUp(address, 'its playlist has come to its end');
        return;
      }
      this.#publish(playlist, true);
    }
    rotation.succeeded(address, this.id);
    onEvent({ kind: 'ended' });
  }

  #checkStall(turn: Turn, targetDurationMs: number): void {
    const { clock, rotation, onEvent } = this.#options;
    const { warnMs, giveUpMs } = stallLimits(targetDurationMs);
    const ageMs = clock.nowMs() - turn.newAtMs;
    const reason = `its playlist has had nothing new for ${Math.round(ageMs / 1_000)} s`;
    if (ageMs >= giveUpMs) rotation.giveUp(turn.address, reason);
    else if (ageMs >= warnMs && !this.#isStalled) {
      this.#isStalled = true;
      onEvent({ kind: 'stalled', reason });
    }
  }

  /** Takes why a load failed; how long to wait before the next one, ms. */
  #fail(turn: Turn, error: Error): number {
    const { rotation, onEvent } = this.#options;
    const reason = error instanceof AppError ? error.message : 'it could not be read';
    onEvent({ kind: 'error', reason: error instanceof AppError ? reason : reasonOf(error) });
    // All connections of the source may be in use, and a rendition may be missing: no other address is better for that.
    const isOurs = error instanceof UpstreamFailure && error.kind === 'busy';
    const isMissing = error instanceof AppError && error.code === 'NOT_FOUND';
    if (isOurs || isMissing) {
      if (isMissing) this.#reject(error);
      return isOurs ? BUSY_DELAY_MS : MISSING_DELAY_MS;
    }
    const waitMs = rotation.failed(turn.address, reason, this.id);
    if (turn === this.#turn) this.#checkStall(turn, this.#snapshot?.targetDurationMs ?? UNKNOWN_TARGET_MS);
    if (rotation.exhausted) this.#reject(error instanceof AppError ? error : new AppError('UNAVAILABLE', reason));
    return waitMs;
  }

  #reject(error: Error): void {
    const changed = this.#changed;
    this.#changed = deferred();
    changed.reject(error);
  }

  #newTurn(address: UpstreamAddress): Turn {
    return { address, over: new AbortController(), newAtMs: this.#options.clock.nowMs() };
  }
}
