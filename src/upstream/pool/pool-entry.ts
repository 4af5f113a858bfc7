import type { Priority } from '../../remote/limiter.ts';
import { toError } from '../../util/errors.ts';
import { deferred } from '../../util/deferred.ts';
import { GrowingBytes } from './growing-bytes.ts';
import type { MediaItem } from './media-item.ts';
import type { SourceFetcher } from './source-fetcher.ts';

/** Figures of one who fetches ahead. */
export interface PrefetchCounters {
  /** Things that were fetched ahead, whole. */
  prefetched: number;
  /** Bytes that were fetched ahead and then dropped without having been asked for. */
  wastedBytes: number;
}

/** Once so much has come, it can be told how long the rest will take. */
const RELIABLE_SHARE = 0.25;
/** How much earlier the next thing is asked for than its server needed to answer the last time; answers vary. */
const OVERLAP = 1.25;

/** One thing in the pool: its bytes, and who holds it. */
export class PoolEntry {
  readonly bytes = new GrowingBytes();
  /** Resolves when it is done or has failed. */
  readonly settled: Promise<void>;
  /** The newest that is known of it. */
  item: MediaItem;
  size: number | undefined;
  contentType: string | undefined;
  lastUsedMs = 0;
  wasAsked = false;
  prefetchedBy: PrefetchCounters | undefined;
  readonly #fetcher: SourceFetcher;
  readonly #settled = deferred();
  readonly #over = new AbortController();
  #asked = 0;
  #prefetching = 0;
  #endAsked: (() => void) | undefined;
  #sentMs = 0;
  #headMs: number | undefined;
  #isEnding = false;

  constructor(item: MediaItem, fetcher: SourceFetcher) {
    this.item = item;
    this.#fetcher = fetcher;
    this.settled = this.#settled.promise;
  }

  get id(): string {
    return this.item.id;
  }

  get isHeld(): boolean {
    return this.#asked + this.#prefetching > 0;
  }

  /** True if somebody waits for it, not only in case somebody will. */
  get isAsked(): boolean {
    return this.#asked > 0;
  }

  /** Aborts when nobody wants it any more. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** True for what was fetched ahead for nothing. */
  get isWasted(): boolean {
    return this.prefetchedBy !== undefined && !this.wasAsked;
  }

  hold(priority: Priority): void {
    if (priority === 'asked') {
      this.#asked += 1;
      this.wasAsked = true;
    } else this.#prefetching += 1;
    this.#countAsked();
  }

  letGo(priority: Priority): void {
    if (priority === 'asked') this.#asked -= 1;
    else this.#prefetching -= 1;
    this.#countAsked();
  }

  /** It is asked for now. */
  began(nowMs: number): void {
    this.#sentMs = nowMs;
    this.#headMs = undefined;
    this.#isEnding = false;
    this.#countAsked();
  }

  /** The server says what it is. */
  described({ size, contentType }: { size: number | undefined; contentType: string | undefined }, nowMs: number): void {
    this.size = size;
    this.contentType = contentType;
    this.#headMs = nowMs;
  }

  /** Some of it has come. */
  progressed(nowMs: number): void {
    const { size, bytes } = this;
    if (this.#isEnding || this.#headMs === undefined || size === undefined) return;
    if (bytes.length < RELIABLE_SHARE * size) return;
    const leftMs = ((nowMs - this.#headMs) * (size - bytes.length)) / bytes.length;
    if (leftMs > OVERLAP * (this.#headMs - this.#sentMs)) return;
    this.#isEnding = true;
    this.#countAsked();
  }

  /** Ends a fetch that goes on. */
  abort(): void {
    this.#over.abort();
  }

  finish(): void {
    this.bytes.finish();
    this.size = this.bytes.length;
    this.#settle();
  }

  fail(thrown: unknown): void {
    this.bytes.fail(toError(thrown));
    this.#settle();
  }

  #settle(): void {
    this.#countAsked();
    this.#settled.resolve();
  }

  /**
   * While somebody waits for something of a source, nothing of it is fetched ahead, until the server could not answer
   * before this has come.
   */
  #countAsked(): void {
    const isWaitedFor = this.#asked > 0 && this.bytes.state === 'loading' && !this.#isEnding;
    if (isWaitedFor) this.#endAsked ??= this.#fetcher.traffic.beginAsked();
    else {
      this.#endAsked?.();
      this.#endAsked = undefined;
    }
  }
}
