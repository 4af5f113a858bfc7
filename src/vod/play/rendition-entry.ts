import { readFile, stat } from 'node:fs/promises';
import type { CacheLease, EntryWriter } from '../../cache/cache-lease.ts';
import type { EncodeProfile } from '../../cache/encode-profile.ts';
import type { MediaFile, MemoryFile } from '../../hls/media-file.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { EncodedSegment } from './encoding-head.ts';

/** What is needed of the cache of encoded segments. */
export interface EntryCache {
  acquire(profile: EncodeProfile, segmentCount: number): Promise<CacheLease | undefined>;
  create(profile: EncodeProfile, segmentCount: number, init: Buffer): Promise<CacheLease>;
  invalidate(key: string, reason: string): Promise<unknown>;
}

/** Where a run of an encoder puts its segments. */
export interface EntryRun {
  readonly generation: number;
  /**
   * Adds a segment, which can be found at once, and is kept once this resolves. Dropped if the generation has ended.
   * @throws AppError `UNAVAILABLE` if it cannot be kept
   */
  write(segment: EncodedSegment): Promise<void>;
  /** Nothing more comes. Never rejects. */
  end(): Promise<void>;
}

interface RenditionEntryOptions {
  readonly cache: EntryCache;
  readonly profile: EncodeProfile;
  readonly segmentCount: number;
  readonly contentType: string;
  /** The entry is left alone until this has resolved. */
  readonly after: Promise<unknown> | undefined;
  readonly logger: Logger;
}

/** Inits in a row that may differ from the one before. */
const MAX_INIT_CHANGES = 1;

/**
 * What is there of a rendition: its init and segments, in the cache or on their way there. All of it was made with the
 * same init; another init begins another generation, in which nothing of the one before is found.
 */
export class RenditionEntry {
  readonly #options: RenditionEntryOptions;
  /** Segments on their way to the disk. */
  readonly #fresh = new Map<number, Buffer>();
  #opening: Promise<void> | undefined;
  #adopting: Promise<unknown> = Promise.resolve();
  #init: MemoryFile | undefined;
  #lease: CacheLease | undefined;
  #writer: EntryWriter | undefined;
  /** Why there is no entry. */
  #objection: AppError | undefined;
  #generation = 0;
  #initChanges = 0;

  constructor(options: RenditionEntryOptions) {
    this.#options = options;
  }

  /** Changes whenever what was there is no longer to be used. */
  get generation(): number {
    return this.#generation;
  }

  /** `undefined` until one is known. */
  get init(): MemoryFile | undefined {
    return this.#init;
  }

  get isComplete(): boolean {
    return this.#lease?.isComplete === true;
  }

  /** How many segments are in the cache. */
  get storedCount(): number {
    return this.#lease?.isGone === false ? this.#lease.present().length : 0;
  }

  /** How many bytes they are. */
  get storedBytes(): number {
    return this.#lease?.isGone === false ? this.#lease.bytes : 0;
  }

  /** Takes what the cache has, unless that has been done. Errors are those of the cache. */
  async ready(): Promise<void> {
    if (this.#lease?.isGone === true) this.#forget();
    this.#opening ??= this.#acquire();
    try {
      await this.#opening;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  /** True if a segment is there. */
  has(index: number): boolean {
    return this.#fresh.has(index) || (this.#lease?.isGone === false && this.#lease.has(index));
  }

  /** A segment that is there, and whole; what turns out to be damaged is dropped, together with all of its entry. */
  async find(index: number): Promise<MediaFile | undefined> {
    const { contentType } = this.#options;
    const bytes = this.#fresh.get(index);
    if (bytes !== undefined) return { contentType, bytes };
    const file = this.#lease?.isGone === false ? this.#lease.find(index) : undefined;
    if (file === undefined) return undefined;
    const found = await stat(file.path).catch(() => undefined);
    if (found?.size === file.size) return { contentType, ...file };
    // It may have had to make room meanwhile, which is no damage.
    if (this.#lease?.has(index) === true) await this.invalidate(`segment ${index} is not as it was written`);
    return undefined;
  }

  /**
   * Begins a run of an encoder, which has this init.
   * @throws AppError `TRANSCODER_FAILED` if each run has another init
   */
  beginRun(init: Buffer): Promise<EntryRun> {
    const begun = this.#adopting.then(async () => {
      await this.#adopt(init);
      return this.#run();
    });
    this.#adopting = begun.catch(() => undefined);
    return begun;
  }

  /** Marks it as complete if everything is there and `gate` resolves. Never rejects. */
  async seal(gate: () => Promise<unknown>): Promise<boolean> {
    if (this.#lease?.isGone !== false) return false;
    if (this.#lease.isComplete) return true;
    this.#writer ??= this.#lease.writer();
    return (await this.#writer?.seal({ gate })) === true;
  }

  /** Drops all that is there. Never rejects. */
  async invalidate(reason: string): Promise<void> {
    const lease = this.#lease;
    if (lease === undefined) return;
    const invalidated = this.#options.cache.invalidate(lease.key, reason);
    this.#forget();
    await invalidated.catch(() => undefined);
    await lease.release();
  }

  /** Never rejects. */
  async release(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    await this.#adopting;
    const lease = this.#lease;
    this.#forget();
    await lease?.release();
  }

  async #acquire(): Promise<void> {
    const { cache, profile, segmentCount, contentType, after } = this.#options;
    await after;
    const lease = await cache.acquire(profile, segmentCount);
    if (lease === undefined) return;
    try {
      this.#init = { contentType, bytes: await readFile(lease.init().path) };
      this.#lease = lease;
    } catch (error) {
      this.#options.logger.warn({ entry: lease.key, reason: reasonOf(error) }, 'drops a cache entry without an init');
      await cache.invalidate(lease.key, 'its init cannot be read').catch(() => undefined);
      await lease.release();
    }
  }

  async #adopt(init: Buffer): Promise<void> {
    await this.ready();
    const isSame = this.#init?.bytes.equals(init) === true;
    if (this.#init !== undefined && !isSame) await this.#change();
    if (isSame) this.#initChanges = 0;
    if (this.#lease !== undefined) return;
    const { cache, profile, segmentCount, contentType, logger } = this.#options;
    // Without an entry it can still be played by whoever waits for it.
    this.#init ??= { contentType, bytes: init };
    this.#opening = Promise.resolve();
    try {
      this.#lease = await cache.create(profile, segmentCount, init);
      this.#objection = undefined;
    } catch (error) {
      this.#objection = error instanceof AppError ? error : new AppError('UNAVAILABLE', reasonOf(error));
      logger.warn({ quality: profile.quality, reason: reasonOf(error) }, 'what is encoded cannot be kept');
    }
  }

  async #change(): Promise<void> {
    const { profile, logger } = this.#options;
    this.#initChanges += 1;
    if (this.#initChanges > MAX_INIT_CHANGES) {
      this.#initChanges = 0;
      throw new AppError('TRANSCODER_FAILED', `the encoder of ${profile.quality} begins each run with another init`);
    }
    const old = this.#lease;
    logger.warn({ entry: old?.key }, 'the encoder has another init than before; encodes anew');
    this.#forget();
    this.#opening = Promise.resolve();
    await old?.release();
  }

  #run(): EntryRun {
    const generation = this.#generation;
    this.#writer ??= this.#lease?.writer();
    const writer = this.#writer;
    const run = writer?.beginRun();
    return {
      generation,
      write: (segment) => this.#write({ generation, writer, run }, segment),
      end: async () => {
        if (run !== undefined) await writer?.endRun(run);
      },
    };
  }

  async #write(
    { generation, writer, run }: { generation: number; writer: EntryWriter | undefined; run: number | undefined },
    { index, bytes, durationTicks }: EncodedSegment,
  ): Promise<void> {
    if (generation !== this.#generation) return;
    if (run === undefined || writer === undefined) {
      throw this.#objection ?? new AppError('UNAVAILABLE', 'somebody else writes this cache entry; try again later');
    }
    this.#fresh.set(index, bytes);
    try {
      await writer.write({ run, index, bytes, durationTicks });
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'GONE')) throw error;
      if (generation === this.#generation) this.#forget();
    } finally {
      if (this.#fresh.get(index) === bytes) this.#fresh.delete(index);
    }
  }

  #forget(): void {
    this.#generation += 1;
    this.#opening = undefined;
    this.#lease = undefined;
    this.#writer = undefined;
    this.#init = undefined;
    this.#fresh.clear();
  }
}
