import type { Clock } from '../../util/clock.ts';
import type { Closable } from '../../util/closer.ts';
import type { MediaItem } from './media-item.ts';
import type { PrefetchCounters } from './pool-entry.ts';
import type { PooledMedia } from './pooled-media.ts';
import { prefetchOrder } from './prefetch-window.ts';
import type { SegmentPool } from './segment-pool.ts';
import type { SourceFetcher } from './source-fetcher.ts';

const MAX_AHEAD_MS = 8_000;
const MAX_VIEWERS = 1_000;
/** A player that asks for nothing for so long, and for twice as long as a segment plays, has gone. */
const FORGET_MS = 10_000;
/** What could not be fetched ahead is left alone for a while; it may simply have been too early. */
const RETRY_MS = 1_000;
/** What has come so far is not given up any more. */
const KEPT_SHARE = 0.7;

/** How a prefetcher works. */
export interface PrefetcherOptions {
  readonly pool: SegmentPool;
  readonly fetcher: SourceFetcher;
  /** Segments to fetch ahead of each player, 8 s of media at most; 0 = none. */
  readonly ahead: number;
  readonly clock: Clock;
  /** Without a player for so long it counts as inactive. */
  readonly idleMs: number;
}

/** Figures of a prefetcher; all but the first two since the start. */
export interface PrefetcherStats extends Readonly<PrefetchCounters> {
  /** True if somebody has asked for something lately. */
  readonly active: boolean;
  /** Players that have asked for something lately. */
  readonly viewers: number;
  /** Asked for and there, or on its way already. */
  readonly hits: number;
  /** Asked for and fetched because of that. */
  readonly misses: number;
}

interface Viewer {
  /** What it asked for last. */
  readonly id: string;
  readonly forgetAtMs: number;
}

interface Running {
  readonly media: PooledMedia;
  readonly endTurn: () => void;
}

/**
 * Fetches the segments of one playlist ahead of its players, in order. It does nothing until somebody asks for a segment;
 * what is asked for always comes first, and what is fetched ahead and then asked for is fetched once. A player that seeks
 * takes the window with it.
 */
export class Prefetcher implements Closable {
  readonly #options: PrefetcherOptions;
  readonly #viewers = new Map<string, Viewer>();
  readonly #running = new Map<string, Running>();
  readonly #skippedUntilMs = new Map<string, number>();
  readonly #counters: PrefetchCounters = { prefetched: 0, wastedBytes: 0 };
  readonly #stopListening: () => void;
  #items: readonly MediaItem[] = [];
  #indexes = new Map<string, number>();
  #durationsMs: readonly number[] = [];
  #hits = 0;
  #misses = 0;
  #lastAskedMs = -Infinity;
  #isClosed = false;

  constructor(options: PrefetcherOptions) {
    this.#options = options;
    this.#stopListening = options.fetcher.traffic.onEnd(() => this.#fill());
  }

  get stats(): PrefetcherStats {
    const { clock, idleMs } = this.#options;
    this.#forget();
    return {
      active: !this.#isClosed && clock.nowMs() - this.#lastAskedMs < idleMs,
      ...{ viewers: this.#viewers.size, hits: this.#hits, misses: this.#misses },
      ...this.#counters,
    };
  }

  /** Takes what the playlist lists now: all of it, in order, at its newest addresses. */
  update(items: readonly MediaItem[]): void {
    this.#items = items;
    this.#indexes = new Map(items.map(({ id }, index) => [id, index]));
    this.#durationsMs = items.map(({ durationMs }) => durationMs);
    for (const id of this.#skippedUntilMs.keys()) if (!this.#indexes.has(id)) this.#skippedUntilMs.delete(id);
    this.#options.pool.retarget(items);
    this.#fill();
  }

  /**
   * Opens something that somebody waits for, see `SegmentPool.open()`; if the playlist lists it, what follows is fetched
   * ahead. To be released.
   * @throws AppError `UNAVAILABLE` if the pool is closed
   */
  ask(
    item: MediaItem,
    { viewer = '', signal }: { viewer?: string; signal?: AbortSignal | undefined } = {},
  ): PooledMedia {
    const { pool, fetcher } = this.#options;
    const newest = this.#items[this.#indexes.get(item.id) ?? -1] ?? item;
    const media = pool.open(newest, fetcher, { priority: 'asked', signal });
    if (media.origin === 'network') this.#misses += 1;
    else this.#hits += 1;
    // It belongs to whoever asked from now on.
    this.#stop(item.id);
    if (!this.#indexes.has(item.id)) return media;
    this.#see(viewer, item);
    this.#cancelUnwanted();
    if (media.origin === 'network' && fetcher.scope.isFull) this.#cancelAll();
    this.#fill();
    return media;
  }

  /** Ends what is fetched ahead. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#stopListening();
    for (const id of [...this.#running.keys()]) this.#stop(id);
    this.#viewers.clear();
    return Promise.resolve();
  }

  #see(viewer: string, { id, durationMs }: MediaItem): void {
    const nowMs = this.#options.clock.nowMs();
    this.#lastAskedMs = nowMs;
    // The one that asked last is served last, so that all get their turn.
    this.#viewers.delete(viewer);
    this.#viewers.set(viewer, { id, forgetAtMs: nowMs + Math.max(FORGET_MS, 2 * durationMs) });
    const [oldest] = this.#viewers.keys();
    if (this.#viewers.size > MAX_VIEWERS && oldest !== undefined) this.#viewers.delete(oldest);
  }

  #forget(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const [viewer, { forgetAtMs }] of this.#viewers) if (forgetAtMs <= nowMs) this.#viewers.delete(viewer);
  }

  /** What players will want next, the most urgent first. */
  #wanted(): MediaItem[] {
    this.#forget();
    const order = prefetchOrder({
      durationsMs: this.#durationsMs,
      positions: [...this.#viewers.values()].map(({ id }) => this.#indexes.get(id) ?? -1),
      ahead: this.#options.ahead,
      maxAheadMs: MAX_AHEAD_MS,
    });
    return order.flatMap((index) => this.#items[index] ?? []);
  }

  #fill(): void {
    const { pool, fetcher, clock } = this.#options;
    const hasRoom = (): boolean => fetcher.traffic.hasPrefetchRoom && !pool.isShort;
    if (this.#isClosed || this.#viewers.size === 0 || !hasRoom()) return;
    const nowMs = clock.nowMs();
    for (const item of this.#wanted()) {
      if (!hasRoom()) return;
      if (pool.has(item.id) || (this.#skippedUntilMs.get(item.id) ?? -Infinity) > nowMs) continue;
      this.#start(item);
    }
  }

  #start(item: MediaItem): void {
    const { pool, fetcher, clock } = this.#options;
    const { traffic } = fetcher;
    const startMs = clock.nowMs();
    const endTurn = traffic.beginPrefetch();
    const concurrent = traffic.prefetching;
    const media = pool.open(item, fetcher, { priority: 'prefetch', counters: this.#counters });
    const running = { media, endTurn };
    this.#running.set(item.id, running);
    void media.settled.then(() => {
      if (this.#running.get(item.id) !== running) return;
      const nowMs = clock.nowMs();
      if (media.state === 'failed') this.#skippedUntilMs.set(item.id, nowMs + RETRY_MS);
      else traffic.measured({ tookMs: nowMs - startMs, durationMs: item.durationMs, concurrent });
      this.#stop(item.id);
    });
  }

  #stop(id: string): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    running.media.release();
    running.endTurn();
  }

  #cancelUnwanted(): void {
    if (this.#running.size === 0) return;
    const wanted = new Set(this.#wanted().map(({ id }) => id));
    for (const [id, { media }] of this.#running) if (!wanted.has(id) && !isNearlyThere(media)) this.#stop(id);
  }

  #cancelAll(): void {
    for (const [id, { media }] of this.#running) if (!isNearlyThere(media)) this.#stop(id);
  }
}

function isNearlyThere({ size, loadedBytes }: PooledMedia): boolean {
  return size !== undefined && loadedBytes >= KEPT_SHARE * size;
}
