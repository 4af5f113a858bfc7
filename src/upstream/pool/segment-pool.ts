import type { PulledStore } from '../../cache/pulled-store.ts';
import type { Priority } from '../../remote/limiter.ts';
import { UpstreamFailure } from '../../remote/upstream-failure.ts';
import type { Clock } from '../../util/clock.ts';
import type { Closable } from '../../util/closer.ts';
import { AppError } from '../../util/errors.ts';
import { MediaDownload } from './media-download.ts';
import type { MediaItem } from './media-item.ts';
import { isMemoryShort } from './memory-pressure.ts';
import { PoolEntry, type PrefetchCounters } from './pool-entry.ts';
import { type MediaOrigin, PooledMedia } from './pooled-media.ts';
import { PoolShelf } from './pool-shelf.ts';
import type { SourceFetcher } from './source-fetcher.ts';

/** How long a fetch goes on that nobody waits for any more: a player that reconnects finds it. */
const GRACE_MS = 200;
/** How long a failure is answered again instead of tried again. */
const FAILURE_MS = 1_000;
const MAX_FAILURES = 1_000;
const SWEEP_MS = 5_000;

/** How a pool works. */
export interface SegmentPoolOptions {
  /** Memory for everything in it, what is on its way included. */
  readonly maxBytes: number;
  /** How long something is kept after its last use. */
  readonly ttlMs: number;
  readonly clock: Clock;
  /** Where goes what there is no memory for. */
  readonly disk?: PulledStore | undefined;
  /** Tells whether the whole process is short of memory; then what nobody uses goes [asks the system]. */
  readonly isMemoryShort?: () => boolean;
}

/** Who opens something. */
export interface PoolOpenOptions {
  readonly priority: Priority;
  /** Releases it when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** Whose work a `prefetch` is. */
  readonly counters?: PrefetchCounters;
}

/** Figures of a pool; all but the first four since the start. */
export interface SegmentPoolStats {
  readonly entries: number;
  /** Memory in use. */
  readonly bytes: number;
  readonly diskBytes: number;
  readonly inFlight: number;
  /** Asked for and there, or on its way already. */
  readonly hits: number;
  /** Asked for and fetched because of that. */
  readonly misses: number;
  readonly retries: number;
  readonly failures: number;
  /** What went to stay below the limit. */
  readonly evictions: number;
  readonly prefetched: number;
  /** Fetched ahead and dropped without having been asked for. */
  readonly wastedBytes: number;
  readonly fetchedBytes: number;
}

/**
 * What is fetched from sources, shared by all who want it: each thing is fetched once, handed out while it comes, and kept
 * for a while within a limit of memory.
 */
export class SegmentPool implements Closable {
  readonly #options: SegmentPoolOptions;
  readonly #shelf: PoolShelf;
  readonly #failures = new Map<string, { entry: PoolEntry; untilMs: number }>();
  readonly #loads = new Set<Promise<void>>();
  readonly #stopSweeps: () => void;
  readonly #counted = { hits: 0, misses: 0, retries: 0, failures: 0, prefetched: 0, fetchedBytes: 0 };
  #closing: Promise<void> | undefined;

  constructor(options: SegmentPoolOptions) {
    this.#options = options;
    const { maxBytes, ttlMs, clock, disk } = options;
    this.#shelf = new PoolShelf({
      ...{ maxBytes, ttlMs, clock, disk },
      isMemoryShort: options.isMemoryShort ?? isMemoryShort,
    });
    this.#stopSweeps = clock.every(Math.min(SWEEP_MS, ttlMs), () => this.#sweep());
  }

  get stats(): SegmentPoolStats {
    const { entries, bytes, evictions, wastedBytes } = this.#shelf;
    const diskBytes = this.#options.disk?.bytes ?? 0;
    return { entries, bytes, diskBytes, inFlight: this.#loads.size, evictions, wastedBytes, ...this.#counted };
  }

  /** True if memory is so short that nothing should be fetched that nobody waits for. */
  get isShort(): boolean {
    return this.#shelf.isShort;
  }

  /**
   * Opens something, which is fetched unless it is there or on its way. To be released.
   * @throws AppError `UNAVAILABLE` if the pool is closed; why it cannot be fetched is told by what this returns
   */
  open(item: MediaItem, fetcher: SourceFetcher, options: PoolOpenOptions): PooledMedia {
    if (this.#closing !== undefined) throw new AppError('UNAVAILABLE', 'the pool of fetched segments is closed');
    const { priority, signal, counters } = options;
    const [entry, origin] = this.#entry(item, fetcher);
    const isMiss = origin === 'network' || entry.bytes.state === 'failed';
    if (priority === 'asked') this.#counted[isMiss ? 'misses' : 'hits'] += 1;
    else if (origin === 'network') entry.prefetchedBy = counters ?? { prefetched: 0, wastedBytes: 0 };
    entry.hold(priority);
    const media = new PooledMedia(entry, origin, () => {
      signal?.removeEventListener('abort', release);
      this.#letGo(entry, priority);
    });
    const release = (): void => media.release();
    signal?.addEventListener('abort', release, { once: true });
    if (origin === 'network' || origin === 'disk') this.#begin(entry, fetcher);
    if (signal?.aborted === true) media.release();
    return media;
  }

  /** True if something is there, or on its way. */
  has(id: string): boolean {
    return this.#shelf.has(id);
  }

  /** Tells where things are now; what is being fetched will be fetched from there if it has to be tried again. */
  retarget(items: readonly MediaItem[]): void {
    for (const item of items) {
      const entry = this.#shelf.peek(item.id);
      if (entry?.bytes.state === 'loading') entry.item = item;
    }
  }

  /** Ends what goes on and drops everything. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  #entry(item: MediaItem, fetcher: SourceFetcher): [PoolEntry, MediaOrigin] {
    const known = this.#shelf.get(item.id);
    if (known !== undefined) {
      if (known.bytes.state === 'loading') known.item = item;
      return [known, known.bytes.state === 'loading' ? 'flight' : 'memory'];
    }
    const failure = this.#failures.get(item.id);
    if (failure !== undefined && failure.untilMs > this.#options.clock.nowMs()) return [failure.entry, 'memory'];
    const entry = new PoolEntry(item, fetcher);
    const origin = this.#shelf.isOnDisk(item.id) ? 'disk' : 'network';
    this.#shelf.put(entry);
    return [entry, origin];
  }

  #begin(entry: PoolEntry, fetcher: SourceFetcher): void {
    const load = this.#load(entry, fetcher)
      .then(
        () => this.#loaded(entry),
        (thrown: unknown) => this.#failed(entry, thrown),
      )
      .finally(() => this.#loads.delete(load));
    this.#loads.add(load);
  }

  async #load(entry: PoolEntry, fetcher: SourceFetcher): Promise<void> {
    if (this.#shelf.isOnDisk(entry.id) && (await this.#shelf.restore(entry))) return;
    const { clock } = this.#options;
    const download = new MediaDownload({
      ...{ item: () => entry.item, fetcher, clock, into: entry.bytes, signal: entry.signal },
      priority: () => (entry.isAsked ? 'asked' : 'prefetch'),
      onHead: (head) => entry.described(head, clock.nowMs()),
      onBytes: (bytes) => {
        this.#counted.fetchedBytes += bytes;
        this.#shelf.grown(entry);
        entry.progressed(clock.nowMs());
      },
      onRetry: () => {
        this.#counted.retries += 1;
        entry.began(clock.nowMs());
      },
    });
    entry.began(clock.nowMs());
    await download.run();
    if (entry.prefetchedBy === undefined) return;
    entry.prefetchedBy.prefetched += 1;
    this.#counted.prefetched += 1;
  }

  #loaded(entry: PoolEntry): void {
    entry.finish();
    this.#shelf.grown(entry);
  }

  #failed(entry: PoolEntry, thrown: unknown): void {
    const wasAborted = entry.signal.aborted;
    const wasAsked = entry.isAsked;
    this.#shelf.drop(entry);
    entry.fail(thrown);
    if (wasAborted) return;
    this.#counted.failures += 1;
    const isBusy = thrown instanceof UpstreamFailure && thrown.kind === 'busy';
    // Whoever fetches ahead may simply have been too early.
    if (!wasAsked || isBusy || this.#closing !== undefined) return;
    const [oldest] = this.#failures.keys();
    if (this.#failures.size >= MAX_FAILURES && oldest !== undefined) this.#failures.delete(oldest);
    this.#failures.delete(entry.id);
    this.#failures.set(entry.id, { entry, untilMs: this.#options.clock.nowMs() + FAILURE_MS });
  }

  #letGo(entry: PoolEntry, priority: Priority): void {
    entry.letGo(priority);
    this.#shelf.used(entry);
    if (entry.isHeld || entry.bytes.state !== 'loading') return;
    // Whoever seeks needs the connection now.
    if (priority === 'prefetch') this.#giveUp(entry);
    else {
      const { clock } = this.#options;
      void clock.wait(GRACE_MS, entry.signal).then(() => {
        if (!entry.isHeld && entry.bytes.state === 'loading') this.#giveUp(entry);
      });
    }
  }

  /** It is forgotten at once, so that whoever asks in this moment starts anew. */
  #giveUp(entry: PoolEntry): void {
    this.#shelf.drop(entry);
    entry.abort();
  }

  #sweep(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const [id, { untilMs }] of this.#failures) if (untilMs <= nowMs) this.#failures.delete(id);
    this.#shelf.sweep();
  }

  async #end(): Promise<void> {
    this.#stopSweeps();
    for (const entry of this.#shelf.inFlight()) entry.abort();
    await Promise.all(this.#loads);
    this.#failures.clear();
    this.#shelf.clear();
  }
}
