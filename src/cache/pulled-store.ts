import { readFile, writeFile } from 'node:fs/promises';
import type { Closable } from '../util/closer.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import type { DiskBudget, Reclaimer } from './disk-budget.ts';
import { emptiedFolder } from './emptied-folder.ts';
import { TrackStore } from './track-store.ts';
import { WriteQueue } from './write-queue.ts';

interface PulledStoreOptions {
  /** Folder of its own: whatever else is in it when it is opened is deleted. */
  readonly root: string;
  readonly maxBytes: number;
  /** What it shares with others: it takes only what nobody else uses, and gives it up first. */
  readonly budget: DiskBudget;
  readonly logger: Logger;
  /** Writes a new file; default: the file system. */
  readonly writeFile?: (file: string, bytes: Buffer) => Promise<void>;
}

interface PulledFile {
  readonly name: string;
  readonly bytes: number;
  readonly onGone: () => void;
}

/** A slow disk costs no more memory than this. */
const MAX_QUEUED_BYTES = 32 * 1024 * 1024;

/**
 * Fetched segments on disk that there is no memory for. Nothing in it outlives the process; what was written longest ago
 * goes first. A disk that is slow, full or gone costs what is not kept, nothing else.
 */
export class PulledStore implements Closable, Reclaimer {
  readonly #options: PulledStoreOptions;
  readonly #queue = new WriteQueue(MAX_QUEUED_BYTES);
  readonly #files = new Map<string, PulledFile>();
  readonly #background = new Set<Promise<unknown>>();
  readonly #track: TrackStore;
  readonly #leaveBudget: () => void;
  #bytes = 0;
  #count = 0;
  #isFailing = false;

  private constructor(options: PulledStoreOptions) {
    this.#options = options;
    const { logger, root } = options;
    this.#track = new TrackStore(root, {
      queue: this.#queue,
      budgets: [],
      writeFile: options.writeFile ?? ((file, bytes) => writeFile(file, bytes, { flag: 'wx' })),
      relieve: () => Promise.resolve(false),
      background: (work) => this.#inBackground(work),
      onWritten: () => (this.#isFailing = false),
      onDropped: () => undefined,
      onFailed: (error) => {
        const reason = reasonOf(error);
        if (!this.#isFailing) logger.warn({ folder: root, reason }, 'fetched segments are not kept on disk');
        this.#isFailing = true;
      },
    });
    this.#leaveBudget = options.budget.addReclaimer(this);
  }

  /**
   * Opens the store and clears away what an earlier process left behind.
   * @throws AppError `BAD_CONFIG` if the folder cannot be made or emptied
   */
  static async open(options: PulledStoreOptions): Promise<PulledStore> {
    try {
      const { gone } = await emptiedFolder(options.root);
      const store = new PulledStore(options);
      store.#inBackground(gone);
      return store;
    } catch (error) {
      const message = `folder ${options.root} for fetched segments cannot be used: ${reasonOf(error)}`;
      throw new AppError('BAD_CONFIG', message, { cause: error });
    }
  }

  /** Bytes on disk or on their way. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Writes something in its own time; false if there is no room for it, or it is there already. `onGone` is called when it
   * goes for whatever reason, and may be called before this returns.
   */
  write(id: string, bytes: Buffer, onGone: () => void): boolean {
    if (this.#files.has(id) || !this.#makeRoom(bytes.length)) return false;
    this.#count += 1;
    const file = { name: `${this.#count}.bin`, bytes: bytes.length, onGone };
    const written = this.#track.write(file.name, bytes);
    // What the queue has no room for is not there.
    if (this.#track.find(file.name) === undefined) return false;
    this.#files.set(id, file);
    this.#bytes += file.bytes;
    this.#options.budget.take(file.bytes);
    this.#inBackground(written.then((path) => path ?? (this.#files.get(id) === file && this.delete(id))));
    return true;
  }

  /** Reads something and forgets it; `undefined` if it is not there or cannot be read. */
  async take(id: string): Promise<Buffer | undefined> {
    const file = this.#files.get(id);
    const found = file && this.#track.find(file.name);
    if (file === undefined || found === undefined) return undefined;
    // Deleted by whoever takes it, so that it stays until it has been read.
    this.#forget(id, file);
    const read = 'bytes' in found ? Promise.resolve(found.bytes) : readFile(found.path);
    const bytes = await read.catch(() => undefined);
    this.#track.delete(file.name);
    file.onGone();
    return bytes?.length === file.bytes ? bytes : undefined;
  }

  /** Deletes something; does nothing if it is not there. */
  delete(id: string): void {
    const file = this.#files.get(id);
    if (file === undefined) return;
    this.#forget(id, file);
    this.#track.delete(file.name);
    file.onGone();
  }

  async reclaim(bytes: number): Promise<void> {
    const goal = this.#bytes - bytes;
    for (const id of this.#files.keys()) {
      if (this.#bytes <= goal) break;
      this.delete(id);
    }
    await Promise.all(this.#background);
  }

  /** Deletes everything. */
  async close(): Promise<void> {
    this.#leaveBudget();
    for (const id of [...this.#files.keys()]) this.delete(id);
    this.#track.clear();
    await this.#queue.drained();
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  #makeRoom(bytes: number): boolean {
    const { maxBytes, budget } = this.#options;
    const excess = (): number => Math.max(this.#bytes + bytes - maxBytes, budget.usedBytes + bytes - budget.maxBytes);
    for (const id of this.#files.keys()) {
      if (excess() <= 0) break;
      this.delete(id);
    }
    return excess() <= 0;
  }

  #forget(id: string, file: PulledFile): void {
    this.#files.delete(id);
    this.#bytes -= file.bytes;
    this.#options.budget.giveBack(file.bytes);
  }

  #inBackground(work: Promise<unknown>): void {
    const settled = work
      .catch(() => undefined)
      .finally(() => {
        this.#background.delete(settled);
      });
    this.#background.add(settled);
  }
}
