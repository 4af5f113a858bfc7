import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../util/clock.ts';
import type { Closable } from '../util/closer.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import { CacheDisk } from './cache-disk.ts';
import { CacheEntry } from './cache-entry.ts';
import type { CacheLease } from './cache-lease.ts';
import type { CacheReport } from './cache-report.ts';
import type { DiskBudget } from './disk-budget.ts';
import { type EncodeProfile, profileHash } from './encode-profile.ts';
import { findDamage } from './entry-check.ts';
import { type EntryFacts, formatFacts, newFacts } from './entry-facts.ts';
import { FACTS_FILE, initName, passingName } from './entry-layout.ts';
import { EntryTable } from './entry-table.ts';
import { LeasedEntry } from './leased-entry.ts';
import { reportCache } from './report-cache.ts';
import { SerialTasks } from './serial-tasks.ts';

interface SegmentCacheOptions {
  /** Folder of its own. */
  readonly root: string;
  /** What it shares with others; the cache gives up what nobody uses when it is used up. */
  readonly budget: DiskBudget;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Writes a file, or replaces one; default: the file system. */
  readonly writeFile?: (file: string, bytes: Buffer) => Promise<void>;
}

const HOUR_MS = 60 * 60 * 1_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * Encoded segments on disk, so that nothing is encoded twice: an entry for each profile, which outlives the process. What
 * a process that was killed had encoded is used on; what it may have left torn is not.
 */
export class SegmentCache implements Closable {
  readonly #options: SegmentCacheOptions;
  readonly #disk: CacheDisk;
  readonly #table: EntryTable;
  /** One task at a time for each profile. */
  readonly #tasks = new SerialTasks();
  readonly #stops: (() => void)[];
  #closing: Promise<void> | undefined;

  private constructor(options: SegmentCacheOptions) {
    const { root, budget, clock, logger } = options;
    this.#options = options;
    this.#table = new EntryTable({ root, logger });
    this.#disk = new CacheDisk({
      ...{ budget, clock, logger, table: this.#table },
      writeFile: options.writeFile ?? ((file, bytes) => writeFile(file, bytes)),
    });
    this.#stops = [
      budget.addReclaimer(this.#disk),
      clock.every(HOUR_MS, () => void budget.makeRoom()),
      clock.every(DAY_MS, () => this.#logFigures()),
    ];
  }

  /**
   * Opens the cache. Entries that are not complete stay for a day after their last use; what is of no use is deleted.
   * @throws AppError `BAD_CONFIG` if the folder cannot be made or read
   */
  static async open(options: SegmentCacheOptions): Promise<SegmentCache> {
    const { root, budget } = options;
    const cache = new SegmentCache(options);
    try {
      await mkdir(root, { recursive: true });
      await cache.#table.load(cache.#disk);
    } catch (error) {
      await cache.close();
      const message = `folder ${root} for encoded files cannot be used: ${reasonOf(error)}`;
      throw new AppError('BAD_CONFIG', message, { cause: error });
    }
    budget.makeRoom();
    return cache;
  }

  /**
   * Leases what has been encoded under a profile, after checking that it is all there and has not been altered: the init
   * byte for byte, segments by length, after a crash by their checksum as well. An entry that was sealed and is damaged is
   * invalidated; of a partial one, damaged segments go.
   * @param segmentCount how many segments there are now; those above go
   * @returns `undefined` if there is nothing
   * @throws AppError `UNAVAILABLE` once the cache is closed
   */
  async acquire(profile: EncodeProfile, segmentCount: number): Promise<CacheLease | undefined> {
    this.#assertOpen();
    const hash = profileHash(profile);
    return this.#tasks.run(hash, async () => {
      const entry = this.#table.current(hash);
      const lease = entry === undefined ? undefined : await this.#tryToLease(entry, segmentCount);
      const { counters } = this.#disk;
      if (entry === undefined || lease === undefined) {
        counters.countInTotal('misses');
        return undefined;
      }
      // Somebody asks for it, whatever else was encoded of its place since.
      entry.isSuperseded = false;
      counters.count(lease.key, lease.isComplete ? 'hits' : 'partialHits');
      return lease;
    });
  }

  /**
   * Makes an entry for a profile and leases it, or leases the one that there is with this very init. One with another init
   * is no longer found and goes as soon as nobody uses it.
   * @throws AppError `UNAVAILABLE` if there is no room for it or the disk does not take it
   */
  async create(profile: EncodeProfile, segmentCount: number, init: Buffer): Promise<CacheLease> {
    this.#assertOpen();
    const facts = newFacts(profile, { segmentCount, init, nowMs: this.#options.clock.nowMs() });
    return this.#tasks.run(facts.profile, async () => {
      const known = this.#table.get(facts.key);
      const lease = known === undefined ? undefined : await this.#tryToLease(known, segmentCount);
      if (known !== undefined && lease !== undefined) {
        this.#table.makeCurrent(known);
        return lease;
      }
      const entry = await this.#make(facts, init);
      this.#table.add(entry);
      this.#disk.counters.countForKey(entry.key, 'misses');
      return this.#lease(entry);
    });
  }

  /** Trusts an entry no longer, whoever uses it; leases of it see that it is gone. Resolves when its files are deleted. */
  invalidate(key: string, reason: string): Promise<void> {
    return this.#disk.invalidate(key, reason);
  }

  /** Deletes an entry, unless somebody uses it. */
  async delete(key: string): Promise<'deleted' | 'in-use' | 'unknown'> {
    const entry = this.#table.get(key);
    if (entry === undefined) return 'unknown';
    if (entry.pins > 0) return 'in-use';
    await this.#table.drop(entry);
    return 'deleted';
  }

  /** What is in it, and how well it serves. */
  report(): CacheReport {
    return reportCache(this.#table.entries(), this.#disk.counters, this.#options.budget);
  }

  /** Ends with everything on disk that was handed over. Leases should have been released. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const stop of this.#stops) stop();
    await this.#tasks.settled();
    await this.#disk.settled();
    const { budget } = this.#options;
    for (const entry of this.#table.entries()) {
      await entry.settled();
      await entry.saveLastUse();
      budget.giveBack(entry.bytes);
    }
  }

  async #tryToLease(entry: CacheEntry, segmentCount: number): Promise<CacheLease | undefined> {
    entry.pins += 1;
    try {
      const reason = await this.#fault(entry, segmentCount);
      if (reason === undefined) return this.#lease(entry);
      await this.invalidate(entry.key, reason);
      return undefined;
    } finally {
      this.#unpin(entry);
    }
  }

  /** Why an entry cannot be used; damaged segments of a partial one go. */
  async #fault(entry: CacheEntry, segmentCount: number): Promise<string | undefined> {
    try {
      await entry.resize(segmentCount);
    } catch (error) {
      return `its number of segments could not be changed: ${reasonOf(error)}`;
    }
    const damage = await findDamage(entry);
    if (entry.isGone) return 'it was deleted';
    if (damage.init) return 'its init is missing or damaged';
    const [first] = damage.segments;
    if (first !== undefined && entry.isComplete) return `segment ${first} is missing or damaged`;
    await entry.trim(damage.segments);
    entry.isTrusted = true;
    return undefined;
  }

  #lease(entry: CacheEntry): CacheLease {
    entry.pins += 1;
    entry.touch();
    return new LeasedEntry(entry, this.#disk, () => this.#unpin(entry));
  }

  #unpin(entry: CacheEntry): void {
    entry.pins -= 1;
    if (entry.pins > 0) return;
    if (entry.isSuperseded) void this.#table.drop(entry);
    this.#options.budget.makeRoom();
  }

  /** Its folder appears with everything in it, or not at all. */
  async #make(facts: EntryFacts, init: Buffer): Promise<CacheEntry> {
    const { key, format, createdAtMs } = facts;
    const { root } = this.#options;
    const text = Buffer.from(formatFacts(facts));
    const folder = path.join(root, key);
    const passing = path.join(root, passingName(key, randomBytes(6).toString('hex')));
    await this.#table.removed(key);
    await this.#disk.reserve(init.length);
    try {
      await this.#disk.tryToWrite(init.length, async () => {
        try {
          await mkdir(passing, { recursive: true });
          await this.#disk.writeFile(path.join(passing, initName(format)), init);
          await this.#disk.writeFile(path.join(passing, FACTS_FILE), text);
          await rm(folder, { recursive: true, force: true });
          await rename(passing, folder);
        } catch (error) {
          await rm(passing, { recursive: true, force: true }).catch(() => undefined);
          throw error;
        }
      });
    } catch (error) {
      this.#options.budget.giveBack(init.length);
      throw error;
    }
    const index = { records: [], lines: 0 };
    return new CacheEntry({ folder, facts, index, isComplete: false, lastUsedMs: createdAtMs, context: this.#disk });
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new AppError('UNAVAILABLE', 'the cache of encoded files is closed');
  }

  #logFigures(): void {
    const { totals, budget } = this.report();
    this.#options.logger.info({ ...totals, ...budget }, 'cache of encoded files: figures since the start');
  }
}
