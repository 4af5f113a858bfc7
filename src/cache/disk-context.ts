import type { ByteBudget } from './byte-budget.ts';
import type { WriteQueue } from './write-queue.ts';

/** What all files of one broadcast share. */
export interface DiskContext {
  readonly queue: WriteQueue;
  /** Each file counts in all of them. */
  readonly budgets: readonly ByteBudget[];
  /** Writes a new file. */
  readonly writeFile: (file: string, bytes: Buffer) => Promise<void>;
  /** Makes room on a disk that is full; true if something could be given up. */
  readonly relieve: (bytes: number) => Promise<boolean>;
  /** Takes work that nobody waits for until the end; its failure is of no interest. */
  readonly background: (work: Promise<unknown>) => void;
  readonly onWritten: () => void;
  /** The disk was too slow to take another file. */
  readonly onDropped: () => void;
  readonly onFailed: (error: unknown) => void;
}
