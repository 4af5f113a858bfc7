import { UpstreamFailure } from '../../remote/upstream-failure.ts';
import type { Clock } from '../../util/clock.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import type { MediaPlaylist } from '../playlist/media-playlist.ts';
import type { MediaItem } from '../pool/media-item.ts';
import { Continuity } from './continuity.ts';
import type { DiscontinuityShifts } from './discontinuity-shifts.ts';
import { LatestSnapshot } from './latest-snapshot.ts';
import type { PlaylistLoad } from './playlist-loader.ts';
import type { PlaylistSnapshot } from './playlist-snapshot.ts';
import { leastIntervalMs, reloadIntervalMs, stallLimits } from './reload-interval.ts';
import { isOver, SnapshotBuilder } from './snapshot-builder.ts';
import type { UpstreamAddress, UrlRotation } from './url-rotation.ts';

const UNKNOWN_TARGET_MS = 6_000;
/** A server that never makes us wait is not asked more often than this. */
const MIN_INTERVAL_MS = 100;
const BUSY_DELAY_MS = 1_000;
const MISSING_DELAY_MS = 5_000;

/** What happens to a playlist that is followed. */
export type FollowerEvent =
  | { readonly kind: 'loaded' | 'unchanged' | 'ended' | 'stale' }
  | { readonly kind: 'error' | 'stalled' | 'broke'; readonly reason: string };

/** What the progress of a playlist is judged with. */
export interface PlaylistProgressOptions {
  /** Of the rendition; tells its reports to `rotation` from others. */
  readonly id: string;
  /** Begins the ids of its items. */
  readonly prefix: string;
  readonly rotation: UrlRotation;
  readonly shifts: DiscontinuityShifts;
  readonly clock: Clock;
  /** Number of addresses. */
  readonly addresses: number;
  /** Takes what can be fetched ahead, at each snapshot. */
  readonly onItems: (items: readonly MediaItem[]) => void;
  readonly onEvent: (event: FollowerEvent) => void;
}

/** One stay at an address. */
export interface Stay {
  readonly address: UpstreamAddress;
  /** When something new came last, or when it began. */
  newAtMs: number;
}

/**
 * Makes snapshots of what loads of a playlist give, and decides when the next load is due and when an address has to be
 * left: because loads fail, nothing new comes, or a live playlist ends.
 */
export class PlaylistProgress {
  readonly latest = new LatestSnapshot();
  readonly #options: PlaylistProgressOptions;
  readonly #continuity: Continuity;
  readonly #builder: SnapshotBuilder;
  /** Addresses at which a live playlist came to its end. */
  readonly #endedAt = new Set<number>();
  #confirmedAtMs: number | undefined;
  /** When something new came last, at whatever address. */
  #newAtMs: number;
  #isStalled = false;

  constructor(options: PlaylistProgressOptions) {
    this.#options = options;
    const { shifts, prefix, clock } = options;
    this.#newAtMs = clock.nowMs();
    this.#continuity = new Continuity({ shifts, firstEra: Math.floor(this.#newAtMs / 1_000) });
    this.#builder = new SnapshotBuilder(prefix);
  }

  /** When upstream last gave a playlist that was right, changed or not. */
  get confirmedAtMs(): number | undefined {
    return this.#confirmedAtMs;
  }

  /** Nothing new has come for suspiciously long. */
  get isStalled(): boolean {
    return this.#isStalled;
  }

  get hasEnded(): boolean {
    return this.latest.value?.ended === true;
  }

  /** What has this id, at its newest address. */
  item(id: string): MediaItem | undefined {
    return this.#builder.item(id);
  }

  /** Begins at the address at present. */
  stay(): Stay {
    const { rotation, clock } = this.#options;
    return { address: rotation.current, newAtMs: clock.nowMs() };
  }

  /** Begins after nobody wanted it: what is known may be out of date, and what has ended may go on. Numbers go on. */
  begin(): void {
    this.#endedAt.clear();
    this.#isStalled = false;
    this.#builder.begin();
    this.#newAtMs = -Infinity;
    this.latest.forget();
  }

  /** Takes what a load gave; how long after its beginning the next one is due, ms. */
  loaded(stay: Stay, { playlist, wasHeld, holdsNext }: PlaylistLoad): number {
    const { clock, rotation, onEvent, id } = this.#options;
    this.#confirmedAtMs = clock.nowMs();
    onEvent({ kind: playlist === undefined ? 'unchanged' : 'loaded' });
    const hadNew = playlist !== undefined && this.#apply(stay, playlist);
    if (hadNew) {
      stay.newAtMs = this.#newAtMs = clock.nowMs();
      this.#isStalled = false;
      rotation.succeeded(stay.address, id);
    }
    const last = playlist ?? this.latest.value?.playlist;
    if (last === undefined) return UNKNOWN_TARGET_MS / 2;
    if (isOver(last)) this.#end(stay, last);
    else if (!hadNew) this.#checkStall(stay, last.targetDurationMs);
    const dueMs = holdsNext && (hadNew || !wasHeld) ? MIN_INTERVAL_MS : reloadIntervalMs(last, hadNew);
    return Math.max(dueMs, leastIntervalMs(last));
  }

  /** Takes why a load failed; how long to wait before the next one, ms. */
  failed(stay: Stay, error: Error): number {
    const { rotation, onEvent, id } = this.#options;
    const known = error instanceof AppError ? error : new AppError('UNAVAILABLE', 'the playlist could not be read');
    onEvent({ kind: 'error', reason: reasonOf(error) });
    // All connections of the source may be in use, and a rendition may be missing or one too many: no other address is better for that.
    if (known instanceof UpstreamFailure && known.kind === 'busy') return BUSY_DELAY_MS;
    if (known.code === 'NOT_FOUND' || known.code === 'LIMIT_REACHED') {
      this.latest.reject(known);
      return MISSING_DELAY_MS;
    }
    const waitMs = rotation.failed(stay.address, known.message, id);
    const targetDurationMs = this.latest.value?.targetDurationMs ?? UNKNOWN_TARGET_MS;
    const isHere = rotation.current === stay.address;
    if (isHere) this.#checkStall(stay, targetDurationMs);
    if (rotation.exhausted) this.latest.reject(known);
    return isHere && rotation.current !== stay.address ? 0 : waitMs;
  }

  /** Makes a snapshot of a playlist; whether it has something new. */
  #apply({ address }: Stay, playlist: MediaPlaylist): boolean {
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
    const before = this.latest.value;
    const now = this.#publish(playlist, isOver(playlist) && (this.#builder.isRecorded ?? true));
    return kind === 'grown' || now.trailing.head.parts.length > (before?.trailing.head.parts.length ?? -1);
  }

  #publish(playlist: MediaPlaylist, ended: boolean): PlaylistSnapshot {
    const snapshot = this.#builder.build(this.#continuity, playlist, { ended });
    this.#options.onItems(snapshot.segments.filter(({ segment }) => !segment.isGap).map(({ item }) => item));
    this.latest.publish(snapshot);
    return snapshot;
  }

  /** A live playlist is over when it has ended at every address that works. */
  #end({ address }: Stay, playlist: MediaPlaylist): void {
    const { rotation, addresses, onEvent, id } = this.#options;
    if (this.#builder.isRecorded === false) {
      this.#endedAt.add(address.index);
      if (this.#endedAt.size < addresses && !rotation.exhausted) {
        rotation.giveUp(address, 'its playlist has come to its end');
        return;
      }
      this.#publish(playlist, true);
    }
    rotation.succeeded(address, id);
    onEvent({ kind: 'ended' });
  }

  #checkStall({ address, newAtMs }: Stay, targetDurationMs: number): void {
    const { clock, rotation, onEvent } = this.#options;
    const { warnMs, giveUpMs } = stallLimits(targetDurationMs);
    const ageMs = clock.nowMs() - newAtMs;
    const reason = `its playlist has had nothing new for ${Math.round(ageMs / 1_000)} s`;
    if (ageMs >= warnMs && !this.#isStalled) {
      this.#isStalled = true;
      onEvent({ kind: 'stalled', reason });
    }
    if (ageMs >= giveUpMs) rotation.giveUp(address, reason);
  }
}
