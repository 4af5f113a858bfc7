import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { reasonOf } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import type { CacheContext } from './cache-context.ts';
import type { CacheEntry } from './cache-entry.ts';
import { isEntryKey, isPassingName, passingName } from './entry-layout.ts';
import { loadEntry } from './entry-loader.ts';

/** All entries of a cache, and which is the current one of each profile. */
export class EntryTable {
  readonly #root: string;
  readonly #logger: Logger;
  readonly #entries = new Map<string, CacheEntry>();
  /** By profile. */
  readonly #current = new Map<string, CacheEntry>();
  /** Entries whose files are being deleted. */
  readonly #removals = new Map<string, Promise<void>>();

  constructor({ root, logger }: { root: string; logger: Logger }) {
    this.#root = root;
    this.#logger = logger;
  }

  /** In no order. */
  entries(): Iterable<CacheEntry> {
    return this.#entries.values();
  }

  get(key: string): CacheEntry | undefined {
    return this.#entries.get(key);
  }

  /** The entry of a profile, the newest one if there is more than one. */
  current(profile: string): CacheEntry | undefined {
    return this.#current.get(profile);
  }

  /** Reads what there is on disk; deletes what is of no use. Rejects if the root cannot be read. */
  async load(context: CacheContext): Promise<void> {
    const found: CacheEntry[] = [];
    let deleted = 0;
    for (const name of await readdir(this.#root)) {
      if (!isEntryKey(name) && !isPassingName(name)) continue;
      const folder = path.join(this.#root, name);
      try {
        const entry = isEntryKey(name) ? await loadEntry(folder, context) : undefined;
        if (entry !== undefined) {
          context.budget.take(entry.bytes);
          found.push(entry);
        } else {
          await rm(folder, { recursive: true, force: true });
          deleted += 1;
        }
      } catch (error) {
        this.#logger.warn({ folder, reason: reasonOf(error) }, 'a folder of the cache could not be read or deleted');
      }
    }
    found.sort((a, b) => a.facts.createdAtMs - b.facts.createdAtMs);
    for (const entry of found) this.add(entry);
    const partial = found.filter(({ isComplete }) => !isComplete).length;
    this.#logger.info({ entries: found.length, partial, deleted }, 'cache of encoded files opened');
  }

  /** Takes an entry in, as the current one of its profile. */
  add(entry: CacheEntry): void {
    this.#entries.set(entry.key, entry);
    this.makeCurrent(entry);
  }

  /** Makes an entry the one that is found; others of its profile, and of older bytes at the same place, go when unused. */
  makeCurrent(entry: CacheEntry): void {
    entry.isSuperseded = false;
    this.#current.set(entry.facts.profile, entry);
    for (const other of [...this.#entries.values()]) {
      if (other === entry || !isReplaced(other, entry)) continue;
      other.isSuperseded = true;
      if (other.pins === 0) void this.drop(other);
    }
  }

  /** Forgets an entry at once and deletes its files. Resolves when they are gone. */
  drop(entry: CacheEntry): Promise<void> {
    const { key } = entry;
    if (this.#entries.get(key) !== entry) return this.removed(key);
    this.#entries.delete(key);
    if (this.#current.get(entry.facts.profile) === entry) this.#current.delete(entry.facts.profile);
    const trash = path.join(this.#root, passingName(key, randomBytes(6).toString('hex')));
    const removal = entry.abandon(trash).finally(() => {
      if (this.#removals.get(key) === removal) this.#removals.delete(key);
    });
    this.#removals.set(key, removal);
    return removal;
  }

  /** Resolves when the files of a dropped entry are gone. */
  async removed(key: string): Promise<void> {
    await this.#removals.get(key);
  }
}

/** True if nobody is going to ask for an entry any more now that there is another. */
function isReplaced({ facts: old }: CacheEntry, { facts }: CacheEntry): boolean {
  return (
    old.profile === facts.profile ||
    (old.place !== undefined && old.place === facts.place && old.source !== facts.source)
  );
}
