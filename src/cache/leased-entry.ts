import type { CacheContext } from './cache-context.ts';
import type { CacheEntry } from './cache-entry.ts';
import type { CachedFile, CacheLease, EntryWriter } from './cache-lease.ts';
import { ExclusiveWriter } from './exclusive-writer.ts';

/** A lease of an entry. */
export class LeasedEntry implements CacheLease {
  readonly #entry: CacheEntry;
  readonly #context: CacheContext;
  readonly #onReleased: () => void;
  #writer: ExclusiveWriter | undefined;
  #releasing: Promise<void> | undefined;

  /** @param onReleased gives back the pin that the lease was made with */
  constructor(entry: CacheEntry, context: CacheContext, onReleased: () => void) {
    this.#entry = entry;
    this.#context = context;
    this.#onReleased = onReleased;
  }

  get key(): string {
    return this.#entry.key;
  }

  get segmentCount(): number {
    return this.#entry.facts.segmentCount;
  }

  get bytes(): number {
    return this.#entry.bytes;
  }

  get isComplete(): boolean {
    return this.#entry.isComplete;
  }

  get isGone(): boolean {
    return this.#entry.isGone;
  }

  init(): CachedFile {
    const init = this.#entry.init();
    this.#entry.touch();
    this.#context.counters.count(this.key, 'bytesRead', init.size);
    return init;
  }

  find(index: number): CachedFile | undefined {
    return this.#entry.find(index);
  }

  has(index: number): boolean {
    return this.#entry.segments.has(index);
  }

  present(): readonly number[] {
    return [...this.#entry.segments.keys()].sort((a, b) => a - b);
  }

  durationTicks(index: number): number | undefined {
    return this.#entry.segments.get(index)?.durationTicks;
  }

  writer(): EntryWriter | undefined {
    if (this.#entry.hasWriter || this.#entry.isGone || this.#releasing !== undefined) return undefined;
    this.#writer = new ExclusiveWriter(this.#entry, this.#context);
    return this.#writer;
  }

  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  async #release(): Promise<void> {
    await this.#writer?.release();
    this.#entry.touch();
    this.#onReleased();
  }
}
