import { rename, rm, utimes } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { writeFileAtomically } from '../util/atomic-file.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import type { CacheContext } from './cache-context.ts';
import type { CachedFile, SegmentToWrite } from './cache-lease.ts';
import type { EntryIndex, SegmentRecord } from './entry-index.ts';
import { type EntryFacts, formatFacts } from './entry-facts.ts';
import { COMPLETE_FILE, FACTS_FILE, INDEX_FILE, initName, segmentName, UNFINISHED } from './entry-layout.ts';
import { IndexFile } from './index-file.ts';
import { syncFile } from './sync-file.ts';

/** A segment in an entry. */
export interface StoredSegment extends SegmentRecord {
  /** Wall clock, ms. */
  lastUsedMs: number;
}

interface CacheEntryOptions {
  readonly folder: string;
  readonly facts: EntryFacts;
  readonly index: Pick<EntryIndex, 'records' | 'lines'>;
  readonly isComplete: boolean;
  readonly lastUsedMs: number;
  readonly context: CacheContext;
}

/** How much later the disk may learn of an entry's last use. */
const TOUCH_EACH_MS = 60_000;

/** One entry: what is known of it, and its files. What changes it on disk happens in order. */
export class CacheEntry {
  readonly folder: string;
  readonly #context: CacheContext;
  readonly #segments = new Map<number, StoredSegment>();
  readonly #openRuns = new Set<number>();
  readonly #index: IndexFile;
  /** Leases, and whoever looks at it at the moment. */
  pins = 0;
  hasWriter = false;
  /** Its segments were compared with their checksums, or written by this process. */
  isTrusted: boolean;
  /** There is a newer entry of its profile, with another init. */
  isSuperseded = false;
  #facts: EntryFacts;
  #isComplete: boolean;
  #isGone = false;
  #bytes: number;
  #nextRun: number;
  #lastUsedMs: number;
  #touchedMs: number;
  #tail: Promise<unknown> = Promise.resolve();

  constructor({ folder, facts, index, isComplete, lastUsedMs, context }: CacheEntryOptions) {
    this.folder = folder;
    this.#context = context;
    this.#facts = facts;
    this.#isComplete = isComplete;
    this.isTrusted = isComplete || index.records.length === 0;
    this.#lastUsedMs = lastUsedMs;
    this.#touchedMs = index.lines === 0 ? -Infinity : lastUsedMs;
    for (const record of index.records) this.#segments.set(record.index, { ...record, lastUsedMs });
    this.#bytes = facts.initBytes + index.records.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#nextRun = index.records.reduce((next, { run }) => Math.max(next, run + 1), 0);
    const endedRuns = (): Set<number> =>
      new Set([...this.#segments.values()].map(({ run }) => run).filter((run) => !this.#openRuns.has(run)));
    this.#index = new IndexFile(path.join(folder, INDEX_FILE), {
      lines: index.lines,
      content: () => ({ records: this.#segments, endedRuns: endedRuns() }),
    });
  }

  get key(): string {
    return this.#facts.key;
  }

  get facts(): EntryFacts {
    return this.#facts;
  }

  get segments(): ReadonlyMap<number, StoredSegment> {
    return this.#segments;
  }

  get isComplete(): boolean {
    return this.#isComplete && !this.#isGone;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Bytes of init and segments; the budget counts them. */
  get bytes(): number {
    return this.#bytes;
  }

  get lastUsedMs(): number {
    return this.#lastUsedMs;
  }

  /** @throws AppError `GONE` if it has gone */
  init(): CachedFile {
    this.assertThere();
    return { path: path.join(this.folder, initName(this.#facts.format)), size: this.#facts.initBytes };
  }

  /** Where the file of a segment is, whether it is there or not. */
  pathOf(index: number): string {
    return path.join(this.folder, segmentName(this.#facts.format, index));
  }

  /** Notes that it is being used, on disk too, sooner or later. */
  touch(): void {
    this.#lastUsedMs = this.#context.clock.nowMs();
    if (this.#lastUsedMs - this.#touchedMs >= TOUCH_EACH_MS) this.#context.background(this.saveLastUse());
  }

  /** Notes on disk when it was used last. Never rejects. */
  async saveLastUse(): Promise<void> {
    if (this.#isGone || this.#touchedMs === this.#lastUsedMs) return;
    this.#touchedMs = this.#lastUsedMs;
    const time = this.#lastUsedMs / 1_000;
    await utimes(path.join(this.folder, FACTS_FILE), time, time).catch(() => undefined);
  }

  find(index: number): CachedFile | undefined {
    const segment = this.#isGone ? undefined : this.#segments.get(index);
    if (segment === undefined) return undefined;
    this.touch();
    segment.lastUsedMs = this.#lastUsedMs;
    this.#context.counters.count(this.key, 'bytesRead', segment.bytes);
    return { path: this.pathOf(index), size: segment.bytes };
  }

  beginRun(): number {
    const run = this.#nextRun;
    this.#nextRun += 1;
    this.#openRuns.add(run);
    return run;
  }

  /** Never rejects. */
  async endRuns(runs: Iterable<number>): Promise<void> {
    const ended = [...runs].filter((run) => this.#openRuns.delete(run));
    await this.enqueue(() => (this.#isGone ? Promise.resolve() : this.#index.end(ended))).catch(() => undefined);
  }

  /** Writes a segment for which room has been reserved; false if it was there already. Errors of the file system pass. */
  write({ run, index, bytes, durationTicks }: SegmentToWrite): Promise<boolean> {
    return this.enqueue(async () => {
      this.assertThere();
      if (this.#segments.has(index)) return false;
      const file = this.pathOf(index);
      const record = { index, bytes: bytes.length, durationTicks, run, crc32: crc32(bytes) };
      try {
        await this.#context.writeFile(`${file}${UNFINISHED}`, bytes);
        await rename(`${file}${UNFINISHED}`, file);
        await this.#index.append(record);
      } catch (error) {
        for (const name of [file, `${file}${UNFINISHED}`]) await rm(name, { force: true }).catch(() => undefined);
        throw error;
      }
      this.assertThere();
      this.touch();
      this.#segments.set(index, { ...record, lastUsedMs: this.#lastUsedMs });
      this.#bytes += bytes.length;
      this.#context.counters.count(this.key, 'bytesWritten', bytes.length);
      return true;
    });
  }

  /** Marks it as complete if everything is there; true if it is complete then. Errors of the file system pass. */
  seal(): Promise<boolean> {
    return this.enqueue(async () => {
      if (this.#isGone || !this.#isWhole()) return false;
      if (this.#isComplete) return true;
      const damaged = await this.#sync();
      if (damaged.length > 0) void this.trim(damaged);
      // What goes meanwhile takes the mark away behind this.
      if (!this.#isWhole()) return false;
      const content = JSON.stringify({ segments: this.#segments.size, bytes: this.#bytes });
      await writeFileAtomically(path.join(this.folder, COMPLETE_FILE), `${content}\n`);
      this.#isComplete = this.#isWhole();
      return this.isComplete;
    });
  }

  /** Forgets segments at once and deletes them soon; it is no longer complete. Resolves when they are deleted. */
  trim(indices: readonly number[]): Promise<void> {
    const trimmed = indices.flatMap((index) => this.#segments.get(index) ?? []);
    if (trimmed.length === 0) return Promise.resolve();
    const bytes = trimmed.reduce((sum, segment) => sum + segment.bytes, 0);
    for (const { index } of trimmed) this.#segments.delete(index);
    this.#isComplete = false;
    this.#bytes -= bytes;
    this.#context.budget.giveBack(bytes);
    const work = this.enqueue(async () => {
      await this.#removeMark();
      const deleted = trimmed.filter(({ index }) => !this.#segments.has(index));
      for (const { index } of deleted) await rm(this.pathOf(index), { recursive: true, force: true });
    });
    return this.#logFailure(work, 'segments of the cache could not be deleted');
  }

  /** Changes how many segments it is to have; those above the end go. Errors of the file system pass. */
  async resize(segmentCount: number): Promise<void> {
    if (segmentCount === this.#facts.segmentCount) return;
    this.#facts = { ...this.#facts, segmentCount };
    this.#isComplete = false;
    await this.trim([...this.#segments.keys()].filter((index) => index >= segmentCount));
    await this.enqueue(async () => {
      await this.#removeMark();
      await writeFileAtomically(path.join(this.folder, FACTS_FILE), formatFacts(this.#facts));
    });
  }

  /** It is gone at once; its files go soon. Resolves when they have. */
  abandon(trash: string): Promise<void> {
    if (this.#isGone) return this.settled();
    this.#isGone = true;
    this.#segments.clear();
    this.#context.budget.giveBack(this.#bytes);
    this.#bytes = 0;
    const work = this.enqueue(async () => {
      await rename(this.folder, trash);
      await rm(trash, { recursive: true, force: true });
    });
    return this.#logFailure(work, 'an entry of the cache could not be deleted');
  }

  /** Resolves when everything before has been done. */
  async settled(): Promise<void> {
    await this.#tail;
  }

  /** @throws AppError `GONE` if it has gone */
  assertThere(): void {
    if (this.#isGone) throw new AppError('GONE', `entry ${this.key} of the cache has gone; it has to be encoded anew`);
  }

  /** Runs a task after those before it. */
  enqueue<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(task);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  #isWhole(): boolean {
    return !this.#isGone && this.#segments.size === this.#facts.segmentCount;
  }

  /** Makes all files survive a loss of power; gives the segments that are not what they should be. */
  async #sync(): Promise<number[]> {
    const init = this.init();
    const size = await syncFile(init.path);
    if (size !== init.size) throw new Error(`the init has ${size} bytes instead of ${init.size}`);
    for (const name of [FACTS_FILE, INDEX_FILE]) await syncFile(path.join(this.folder, name));
    const damaged: number[] = [];
    for (const { index, bytes } of [...this.#segments.values()]) {
      const size = await syncFile(this.pathOf(index)).catch(() => undefined);
      if (size !== bytes) damaged.push(index);
    }
    return damaged;
  }

  async #removeMark(): Promise<void> {
    await rm(path.join(this.folder, COMPLETE_FILE), { force: true });
  }

  async #logFailure(work: Promise<void>, message: string): Promise<void> {
    const done = work.catch((error: unknown) => {
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!isMissing) this.#context.logger.warn({ key: this.key, reason: reasonOf(error) }, message);
    });
    this.#context.background(done);
    await done;
  }
}
