import type { PulledStore } from '../../cache/pulled-store.ts';
import { UpstreamFailure } from '../../remote/upstream-failure.ts';
import type { Clock } from '../../util/clock.ts';
import type { PoolEntry, PrefetchCounters } from './pool-entry.ts';

interface PoolShelfOptions {
  readonly maxBytes: number;
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly disk: PulledStore | undefined;
  readonly isMemoryShort: () => boolean;
}

/** What is remembered of something that went to disk. */
interface OnDisk {
  readonly contentType: string | undefined;
  readonly lastUsedMs: number;
  readonly wasAsked: boolean;
  readonly prefetchedBy: PrefetchCounters | undefined;
}

/** How often the memory of the process is looked at. */
const LOOK_EACH_MS = 1_000;

/** What a pool keeps, and what goes when there is no more room. */
export class PoolShelf {
  readonly #options: PoolShelfOptions;
  /** The one used last at the end. */
  readonly #entries = new Map<string, PoolEntry>();
  readonly #held = new Map<PoolEntry, number>();
  readonly #onDisk = new Map<string, OnDisk>();
  #bytes = 0;
  #evictions = 0;
  #wastedBytes = 0;
  #isShort = false;
  #lookedAtMs = -Infinity;

  constructor(options: PoolShelfOptions) {
    this.#options = options;
  }

  get entries(): number {
    return this.#entries.size;
  }

  /** Memory in use. */
  get bytes(): number {
    return this.#bytes;
  }

  get evictions(): number {
    return this.#evictions;
  }

  get wastedBytes(): number {
    return this.#wastedBytes;
  }

  /** True if the process is short of memory, as far as was looked at lately. */
  get isShort(): boolean {
    const { clock } = this.#options;
    const nowMs = clock.nowMs();
    if (nowMs - this.#lookedAtMs < LOOK_EACH_MS) return this.#isShort;
    this.#lookedAtMs = nowMs;
    this.#isShort = this.#options.isMemoryShort();
    return this.#isShort;
  }

  /** In memory, on its way there, or on disk. */
  has(id: string): boolean {
    return this.#entries.has(id) || this.#onDisk.has(id);
  }

  isOnDisk(id: string): boolean {
    return this.#onDisk.has(id);
  }

  peek(id: string): PoolEntry | undefined {
    return this.#entries.get(id);
  }

  /** Counts as a use. */
  get(id: string): PoolEntry | undefined {
    const entry = this.#entries.get(id);
    if (entry !== undefined) this.used(entry);
    return entry;
  }

  put(entry: PoolEntry): void {
    this.#entries.set(entry.id, entry);
    this.used(entry);
  }

  used(entry: PoolEntry): void {
    if (this.#entries.get(entry.id) !== entry) return;
    entry.lastUsedMs = this.#options.clock.nowMs();
    this.#entries.delete(entry.id);
    this.#entries.set(entry.id, entry);
  }

  inFlight(): PoolEntry[] {
    return [...this.#entries.values()].filter(({ bytes }) => bytes.state === 'loading');
  }

  /**
   * Counts what an entry takes now, and makes room for it.
   * @throws UpstreamFailure `too-large` if there is no room for an entry that is on its way
   */
  grown(entry: PoolEntry): void {
    if (this.#entries.get(entry.id) !== entry) return;
    const { heldBytes } = entry.bytes;
    this.#bytes += heldBytes - (this.#held.get(entry) ?? 0);
    this.#held.set(entry, heldBytes);
    if (this.isShort) this.#trimUnused();
    if (this.#bytes > this.#options.maxBytes) this.#makeRoom(entry);
  }

  /** Forgets an entry; what became of its bytes is no longer counted. */
  drop(entry: PoolEntry): void {
    if (this.#entries.get(entry.id) !== entry) return;
    this.#entries.delete(entry.id);
    this.#uncount(entry);
    if (entry.isWasted) this.#waste(entry.prefetchedBy, entry.bytes.length);
  }

  /**
   * Reads back what is on disk; false if it cannot be read.
   * @throws UpstreamFailure `too-large` if there is no room for it
   */
  async restore(entry: PoolEntry): Promise<boolean> {
    const known = this.#onDisk.get(entry.id);
    this.#onDisk.delete(entry.id);
    entry.prefetchedBy ??= known?.prefetchedBy;
    entry.wasAsked ||= known?.wasAsked ?? false;
    const bytes = await this.#options.disk?.take(entry.id);
    if (bytes === undefined) return false;
    entry.contentType = known?.contentType;
    entry.size = bytes.length;
    entry.bytes.append(bytes);
    this.grown(entry);
    return true;
  }

  /** Drops what was not used for too long. */
  sweep(): void {
    const { clock, ttlMs, disk } = this.#options;
    const oldestMs = clock.nowMs() - ttlMs;
    for (const entry of this.#unused()) if (entry.lastUsedMs <= oldestMs) this.drop(entry);
    for (const [id, { lastUsedMs }] of this.#onDisk) if (lastUsedMs <= oldestMs) disk?.delete(id);
    if (this.isShort) this.#trimUnused();
  }

  clear(): void {
    for (const entry of [...this.#entries.values()]) this.drop(entry);
    for (const id of [...this.#onDisk.keys()]) this.#options.disk?.delete(id);
  }

  /** Oldest first. */
  #unused(): PoolEntry[] {
    return [...this.#entries.values()].filter((entry) => !entry.isHeld && entry.bytes.state === 'done');
  }

  #trimUnused(): void {
    for (const entry of this.#unused()) {
      this.#evictions += 1;
      this.drop(entry);
    }
  }

  #makeRoom(growing: PoolEntry): void {
    const { maxBytes } = this.#options;
    for (const entry of this.#unused()) {
      if (this.#bytes <= maxBytes) return;
      this.#evict(entry);
    }
    // What somebody waits for comes before what somebody may want.
    for (const entry of this.inFlight()) {
      if (this.#bytes <= maxBytes) return;
      if (entry.isAsked) continue;
      this.drop(entry);
      entry.abort();
    }
    if (this.#bytes <= maxBytes || growing.bytes.state !== 'loading' || growing.signal.aborted) return;
    throw new UpstreamFailure('too-large', 'the memory for fetched segments is used up; raise pull.memoryMb');
  }

  #evict(entry: PoolEntry): void {
    this.#evictions += 1;
    const { disk } = this.#options;
    const { id, prefetchedBy, wasAsked, contentType, lastUsedMs } = entry;
    const isKept =
      entry.item.kind !== 'key' &&
      disk?.write(id, entry.bytes.content(), () => {
        const known = this.#onDisk.get(id);
        if (this.#onDisk.delete(id) && !wasAsked && known !== undefined) this.#waste(prefetchedBy, entry.size ?? 0);
      }) === true;
    if (!isKept) {
      this.drop(entry);
      return;
    }
    this.#onDisk.set(id, { contentType, lastUsedMs, wasAsked, prefetchedBy });
    this.#entries.delete(id);
    this.#uncount(entry);
  }

  #uncount(entry: PoolEntry): void {
    this.#bytes -= this.#held.get(entry) ?? 0;
    this.#held.delete(entry);
  }

  #waste(counters: PrefetchCounters | undefined, bytes: number): void {
    if (counters === undefined) return;
    counters.wastedBytes += bytes;
    this.#wastedBytes += bytes;
  }
}
