import type { Clock } from '../util/clock.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import type { CacheContext } from './cache-context.ts';
import { pickEntries, pickSegments } from './cache-reclaim.ts';
import { CounterTable } from './counter-table.ts';
import { type DiskBudget, isDiskFull, type Reclaimer } from './disk-budget.ts';
import type { EntryTable } from './entry-table.ts';

interface CacheDiskOptions {
  readonly table: EntryTable;
  readonly budget: DiskBudget;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly writeFile: (file: string, bytes: Buffer) => Promise<void>;
}

/** What keeps going on is told so often. */
const WARN_EACH_MS = 10 * 60 * 1_000;

/** Makes room for what the cache writes, and copes with a disk that takes nothing. */
export class CacheDisk implements CacheContext, Reclaimer {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly budget: DiskBudget;
  readonly counters = new CounterTable();
  readonly writeFile: CacheContext['writeFile'];
  readonly #table: EntryTable;
  readonly #background = new Set<Promise<unknown>>();
  #warnedAtMs = -Infinity;
  /** True while writing does not work, so that it is told once. */
  #failing = false;

  constructor({ table, budget, clock, logger, writeFile }: CacheDiskOptions) {
    this.#table = table;
    this.budget = budget;
    this.clock = clock;
    this.logger = logger;
    this.writeFile = writeFile;
  }

  background(work: Promise<unknown>): void {
    const settled = work
      .catch(() => undefined)
      .finally(() => {
        this.#background.delete(settled);
      });
    this.#background.add(settled);
  }

  async reserve(bytes: number): Promise<void> {
    if (!this.budget.makeRoom(bytes)) {
      const message =
        `the cache is full: ${megabytes(this.budget.usedBytes)} of ${megabytes(this.budget.maxBytes)} MB are in use and ` +
        `nothing more can go; try again in a minute, or raise storage.sizeGb`;
      throw new AppError('UNAVAILABLE', message);
    }
    this.budget.take(bytes);
    // The limit holds on disk as well: what goes is gone before anything comes.
    await Promise.all(this.#background);
  }

  async tryToWrite<T>(bytes: number, write: () => Promise<T>): Promise<T> {
    try {
      const result = await this.#retryWhenFull(bytes, write);
      if (this.#failing) this.logger.info({}, 'encoded files are written to disk again');
      this.#failing = false;
      return result;
    } catch (error) {
      throw error instanceof AppError ? error : this.#unavailable(error);
    }
  }

  async invalidate(key: string, reason: string): Promise<void> {
    const entry = this.#table.get(key);
    if (entry === undefined) return;
    this.counters.count(key, 'invalidations');
    const { sourceLabel: source, quality } = entry.facts;
    this.logger.warn({ key, source, quality, reason }, 'an entry of the cache is not used any more');
    await this.#table.drop(entry);
  }

  async reclaim(bytes: number, cause: 'budget' | 'disk'): Promise<void> {
    const work: Promise<void>[] = [];
    const before = this.budget.usedBytes;
    for (const entry of pickEntries(this.#table.entries(), bytes)) {
      this.counters.count(entry.key, 'evictions');
      const { key, bytes, lastUsedMs, facts } = entry;
      const idleMs = Math.round(this.clock.nowMs() - lastUsedMs);
      this.logger.info(
        { key, source: facts.sourceLabel, quality: facts.quality, bytes, idleMs },
        'evicts from the cache',
      );
      work.push(this.#table.drop(entry));
    }
    const missing = bytes - (before - this.budget.usedBytes);
    if (missing > 0) {
      if (cause === 'budget') this.#warnOfLeases(missing);
      work.push(...this.#reclaimLeased(missing));
    }
    await Promise.all(work);
  }

  /** Resolves when nothing is being deleted or noted. */
  async settled(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  #reclaimLeased(bytes: number): Promise<void>[] {
    return [...pickSegments(this.#table.entries(), bytes, this.clock.nowMs())].map(([entry, indices]) => {
      this.counters.count(entry.key, 'evictions');
      return entry.trim(indices);
    });
  }

  #warnOfLeases(missingBytes: number): void {
    const nowMs = this.clock.nowMs();
    const leased = [...this.#table.entries()].filter(({ pins }) => pins > 0);
    if (leased.length === 0 || nowMs - this.#warnedAtMs < WARN_EACH_MS) return;
    this.#warnedAtMs = nowMs;
    const { usedBytes, maxBytes } = this.budget;
    const leasedBytes = leased.reduce((sum, { bytes }) => sum + bytes, 0);
    this.logger.warn(
      { leasedBytes, usedBytes, maxBytes, missingBytes },
      'what is being played takes all the room there is: parts of it go and may be encoded again; raise storage.sizeGb',
    );
  }

  async #retryWhenFull<T>(bytes: number, write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      if (!isDiskFull(error) || !(await this.budget.relieve(bytes))) throw error;
      return write();
    }
  }

  #unavailable(error: unknown): AppError {
    const what = isDiskFull(error)
      ? 'the disk is full: free some, or lower storage.sizeGb'
      : `the disk does not take encoded files: ${(error as NodeJS.ErrnoException).code ?? reasonOf(error)}`;
    if (!this.#failing) this.logger.warn({ reason: reasonOf(error) }, what);
    this.#failing = true;
    return new AppError('UNAVAILABLE', what, { cause: error });
  }
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1024 ** 2);
}
