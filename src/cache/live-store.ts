import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Closable } from '../util/closer.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import { BroadcastStore } from './broadcast-store.ts';
import { ByteBudget } from './byte-budget.ts';
import { type DiskBudget, isDiskFull } from './disk-budget.ts';
import type { DiskContext } from './disk-context.ts';
import { emptiedFolder } from './emptied-folder.ts';
import { safeName } from './safe-name.ts';
import { WriteQueue } from './write-queue.ts';

interface LiveStoreOptions {
  /** Folder of its own: whatever else is in it when it is opened is deleted. */
  readonly root: string;
  /** Disk for all broadcasts together. */
  readonly maxBytes: number;
  /** Disk for one broadcast. */
  readonly maxBroadcastBytes: number;
  /** What it shares with others: they make room for live segments, which may use most of it. */
  readonly budget?: DiskBudget;
  /** What may wait to be written; default 128 MiB. */
  readonly maxQueuedBytes?: number;
  readonly logger: Logger;
  /** Writes a new file; default: the file system. */
  readonly writeFile?: DiskContext['writeFile'];
}

/** Figures of a live store. */
interface LiveStoreStats {
  /** Files on disk or on their way, of all broadcasts. */
  readonly bytes: number;
  readonly queuedBytes: number;
  /** Files that the disk was too slow to take so far. */
  readonly dropped: number;
  /** Files that could not be written so far. */
  readonly failed: number;
  /** Files that went before their time so far, to stay below a limit. */
  readonly evicted: number;
}

/** Live segments' part of a shared budget at most: something is left for others to work in. */
const LIVE_SHARE = 0.875;

const MAX_QUEUED_BYTES = 128 * 1024 * 1024;

/**
 * Live segments on disk, so that viewers can go back further than memory reaches: a folder for each life of a broadcast,
 * in it one for each track. Nothing in it outlives the process. A disk that is slow, full or gone costs what is not
 * written, never the live stream.
 */
export class LiveStore implements Closable {
  readonly #options: LiveStoreOptions;
  readonly #queue: WriteQueue;
  readonly #budget: ByteBudget;
  readonly #lives = new Set<BroadcastStore>();
  readonly #background = new Set<Promise<unknown>>();
  #lifeCount = 0;
  #dropped = 0;
  #failed = 0;
  #broadcastEvictions = 0;
  /** True while writing does not work, so that it is told once. */
  #failing = false;

  private constructor(options: LiveStoreOptions) {
    this.#options = options;
    this.#queue = new WriteQueue(options.maxQueuedBytes ?? MAX_QUEUED_BYTES);
    const { budget, maxBytes } = options;
    this.#budget = new ByteBudget(Math.min(maxBytes, LIVE_SHARE * (budget?.maxBytes ?? Infinity)), budget);
  }

  /**
   * Opens the store and clears away what a process that crashed left behind.
   * @throws AppError `BAD_CONFIG` if the folder cannot be made or emptied
   */
  static async open(options: LiveStoreOptions): Promise<LiveStore> {
    const store = new LiveStore(options);
    await store.#reap();
    return store;
  }

  get stats(): LiveStoreStats {
    const lives = [...this.#lives].reduce((sum, { evicted }) => sum + evicted, 0);
    return {
      bytes: this.#budget.bytes,
      queuedBytes: this.#queue.bytes,
      dropped: this.#dropped,
      failed: this.#failed,
      evicted: this.#budget.evicted + this.#broadcastEvictions + lives,
    };
  }

  /** A place for one life of a broadcast; whoever asks for it closes it. */
  begin(broadcast: string): BroadcastStore {
    this.#lifeCount += 1;
    const folder = path.join(this.#options.root, `${this.#lifeCount}-${safeName(broadcast)}`);
    const budget = new ByteBudget(this.#options.maxBroadcastBytes);
    const life = new BroadcastStore({
      folder,
      budget,
      context: { ...this.#context(), budgets: [budget, this.#budget] },
      onClosed: () => {
        this.#lives.delete(life);
        this.#broadcastEvictions += budget.evicted;
      },
    });
    this.#lives.add(life);
    return life;
  }

  /** Deletes everything. */
  async close(): Promise<void> {
    await Promise.all([...this.#lives].map((life) => life.close()));
    await this.#queue.drained();
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  #context(): Omit<DiskContext, 'budgets'> {
    const { logger, root } = this.#options;
    const warnOnce = (fields: object, message: string): void => {
      if (!this.#failing) logger.warn({ folder: root, ...fields }, message);
      this.#failing = true;
    };
    return {
      queue: this.#queue,
      writeFile: this.#options.writeFile ?? ((file, bytes) => writeFile(file, bytes, { flag: 'wx' })),
      relieve: (bytes) => this.#options.budget?.relieve(bytes) ?? Promise.resolve(false),
      background: (work) => this.#track(work),
      onWritten: () => {
        if (this.#failing) logger.info({ folder: root }, 'live segments are written to disk again');
        this.#failing = false;
      },
      onDropped: () => {
        this.#dropped += 1;
        const message =
          'the disk is slower than the streams; segments are not kept there, so viewers can go back less far';
        warnOnce({ queuedBytes: this.#queue.bytes }, message);
      },
      onFailed: (error) => {
        this.#failed += 1;
        const what = isDiskFull(error)
          ? 'the disk is full: free some, or lower storage.dvrMaxMb'
          : 'a live segment was not written';
        warnOnce({ reason: reasonOf(error) }, `${what}; live goes on, but viewers can go back less far`);
      },
    };
  }

  #track(work: Promise<unknown>): void {
    const settled = work
      .catch(() => undefined)
      .finally(() => {
        this.#background.delete(settled);
      });
    this.#background.add(settled);
  }

  async #reap(): Promise<void> {
    const { root, logger } = this.#options;
    try {
      const { cleared, gone } = await emptiedFolder(root);
      if (cleared > 0) logger.info({ folder: root, folders: cleared }, 'clears away live segments of an earlier run');
      this.#track(gone);
    } catch (error) {
      const message = `folder ${root} for live segments cannot be used: ${reasonOf(error)}`;
      throw new AppError('BAD_CONFIG', message, { cause: error });
    }
  }
}
