import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../util/errors.ts';
import type { Budgeted } from './byte-budget.ts';
import { isDiskFull } from './disk-budget.ts';
import type { DiskContext } from './disk-context.ts';
import { isPlainFileName } from './safe-name.ts';

/** Where the bytes of a file are: still in memory on their way to disk, or on disk, whole. */
export type StoredBytes = { readonly bytes: Buffer } | { readonly path: string; readonly size: number };

/** The files of one track on disk: each is written once, whole, in the background. */
export class TrackStore {
  readonly #folder: string;
  readonly #context: DiskContext;
  readonly #files = new Map<string, StoredFileEntry>();
  #made: Promise<unknown> | undefined;

  /** @param folder must exist only from the first write on */
  constructor(folder: string, context: DiskContext) {
    this.#folder = folder;
    this.#context = context;
  }

  /** Files that are there or on their way. */
  get size(): number {
    return this.#files.size;
  }

  /**
   * Writes a file in its own time. Resolves with its path once it is on disk, whole; with `undefined` if it could not be
   * written or has been deleted meanwhile. Never rejects and never waits for the disk before it returns.
   * @throws AppError `INTERNAL` for a name that is not a plain file name, or one used before
   */
  write(name: string, bytes: Buffer): Promise<string | undefined> {
    if (!isPlainFileName(name) || this.#files.has(name)) {
      throw new AppError('INTERNAL', `${JSON.stringify(name)} is no new plain file name`);
    }
    const file = path.join(this.#folder, name);
    const entry = new StoredFileEntry(file, bytes, () => this.#discard(name, entry));
    return new Promise((resolve) => {
      const isTaken = this.#context.queue.push(bytes.length, async () => {
        if (entry.isGone) resolve(undefined);
        else resolve((await this.#write(entry, bytes)) ? file : undefined);
      });
      if (isTaken) this.#admit(name, entry);
      else {
        this.#context.onDropped();
        resolve(undefined);
      }
    });
  }

  /** The bytes of a file, wherever they are; `undefined` if they are not kept. */
  find(name: string): StoredBytes | undefined {
    return this.#files.get(name)?.where();
  }

  /** True if a file is kept and will be for a while: new playlists may name it. */
  isFresh(name: string): boolean {
    const entry = this.#files.get(name);
    return entry !== undefined && !entry.isRetired;
  }

  /** Deletes a file; does nothing if it is not there. */
  delete(name: string): void {
    const entry = this.#files.get(name);
    if (entry !== undefined) this.#discard(name, entry);
  }

  /** Deletes all files, also those on their way. */
  clear(): void {
    for (const entry of this.#files.values()) this.#forget(entry);
    this.#files.clear();
    this.#context.background(rm(this.#folder, { recursive: true, force: true }));
  }

  #admit(name: string, entry: StoredFileEntry): void {
    this.#files.set(name, entry);
    for (const budget of this.#context.budgets) if (!entry.isGone) budget.add(entry);
  }

  #discard(name: string, entry: StoredFileEntry): void {
    if (entry.isGone) return;
    this.#forget(entry);
    this.#files.delete(name);
    if (entry.isWritten) this.#context.background(rm(entry.path, { force: true }));
  }

  #forget(entry: StoredFileEntry): void {
    entry.isGone = true;
    for (const budget of this.#context.budgets) budget.remove(entry);
  }

  async #write(entry: StoredFileEntry, bytes: Buffer): Promise<boolean> {
    const temporary = `${entry.path}.tmp`;
    try {
      this.#made ??= mkdir(this.#folder, { recursive: true });
      await this.#made;
      await this.#writeFile(temporary, bytes);
      await rename(temporary, entry.path);
      this.#context.onWritten();
    } catch (error) {
      this.#made = undefined;
      await rm(temporary, { force: true }).catch(() => undefined);
      if (entry.isGone) return false;
      this.#discard(path.basename(entry.path), entry);
      this.#context.onFailed(error);
      return false;
    }
    // It may have been deleted while it was being written.
    if (entry.isGone) await rm(entry.path, { force: true }).catch(() => undefined);
    else entry.finish();
    return !entry.isGone;
  }

  async #writeFile(file: string, bytes: Buffer): Promise<void> {
    try {
      await this.#context.writeFile(file, bytes);
    } catch (error) {
      if (!isDiskFull(error) || !(await this.#context.relieve(bytes.length))) throw error;
      await rm(file, { force: true });
      await this.#context.writeFile(file, bytes);
    }
  }
}

/** One file, from the moment it is handed over. */
class StoredFileEntry implements Budgeted {
  readonly path: string;
  readonly bytes: number;
  readonly #onEvicted: () => void;
  #content: Buffer | undefined;
  isRetired = false;
  isGone = false;

  constructor(file: string, content: Buffer, onEvicted: () => void) {
    this.path = file;
    this.bytes = content.length;
    this.#content = content;
    this.#onEvicted = onEvicted;
  }

  get isWritten(): boolean {
    return this.#content === undefined;
  }

  where(): StoredBytes {
    return this.#content === undefined ? { path: this.path, size: this.bytes } : { bytes: this.#content };
  }

  finish(): void {
    this.#content = undefined;
  }

  retire(): void {
    this.isRetired = true;
  }

  evict(): void {
    this.#onEvicted();
  }
}
