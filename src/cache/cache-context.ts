import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { CounterTable } from './counter-table.ts';
import type { DiskBudget } from './disk-budget.ts';

/** What all entries of a cache share. */
export interface CacheContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly budget: DiskBudget;
  readonly counters: CounterTable;
  /** Writes a file, or replaces one. */
  readonly writeFile: (file: string, bytes: Buffer) => Promise<void>;
  /** Takes work that is waited for at the end; its failure is of no interest. */
  readonly background: (work: Promise<unknown>) => void;
  /**
   * Counts bytes that will be written, after making room for them.
   * @throws AppError `UNAVAILABLE` if there is none
   */
  readonly reserve: (bytes: number) => Promise<void>;
  /**
   * Calls `write`, once more if the disk was full and room could be made.
   * @throws AppError `UNAVAILABLE` if the disk does not take it; any AppError of `write`
   */
  readonly tryToWrite: <T>(bytes: number, write: () => Promise<T>) => Promise<T>;
  /** Trusts an entry no longer, whoever uses it. Resolves when its files are deleted; never rejects. */
  readonly invalidate: (key: string, reason: string) => Promise<void>;
}
