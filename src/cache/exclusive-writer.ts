import { AppError, reasonOf } from '../util/errors.ts';
import type { CacheContext } from './cache-context.ts';
import type { CacheEntry } from './cache-entry.ts';
import type { EntryWriter, SegmentToWrite } from './cache-lease.ts';

/** Writes to an entry as long as nobody else does. */
export class ExclusiveWriter implements EntryWriter {
  readonly #entry: CacheEntry;
  readonly #context: CacheContext;
  readonly #runs = new Set<number>();
  #releasing: Promise<void> | undefined;

  /** Takes the right to write; the caller has made sure that nobody has it. */
  constructor(entry: CacheEntry, context: CacheContext) {
    this.#entry = entry;
    this.#context = context;
    entry.hasWriter = true;
  }

  beginRun(): number {
    const run = this.#entry.beginRun();
    this.#runs.add(run);
    return run;
  }

  async endRun(run: number): Promise<void> {
    if (this.#runs.delete(run)) await this.#entry.endRuns([run]);
  }

  async write(segment: SegmentToWrite): Promise<void> {
    const { run, index, bytes } = segment;
    this.#assertOpen();
    const { segmentCount } = this.#entry.facts;
    if (!Number.isInteger(index) || index < 0 || index >= segmentCount || !this.#runs.has(run)) {
      throw new AppError(
        'INTERNAL',
        `entry ${this.#entry.key} has no run ${run} or no segment ${index} of ${segmentCount}`,
      );
    }
    if (this.#entry.segments.has(index)) return;
    await this.#context.reserve(bytes.length);
    let isKept = false;
    try {
      isKept = await this.#context.tryToWrite(bytes.length, () => {
        this.#assertOpen();
        return this.#entry.write(segment).catch((error: unknown) => this.#rethrow(error));
      });
    } finally {
      if (!isKept) this.#context.budget.giveBack(bytes.length);
    }
  }

  async seal({ gate }: { gate?: () => Promise<unknown> } = {}): Promise<boolean> {
    try {
      await gate?.();
      if (this.#releasing !== undefined) return false;
      return await this.#context.tryToWrite(0, () => this.#entry.seal());
    } catch (error) {
      const fields = { key: this.#entry.key, reason: reasonOf(error) };
      this.#context.logger.debug(fields, 'an entry of the cache stays partial');
      return false;
    }
  }

  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  async #release(): Promise<void> {
    await this.#entry.endRuns(this.#runs);
    this.#entry.hasWriter = false;
  }

  #rethrow(error: unknown): never {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      void this.#context.invalidate(this.#entry.key, 'its folder is missing');
      this.#entry.assertThere();
    }
    throw error;
  }

  #assertOpen(): void {
    this.#entry.assertThere();
    if (this.#releasing !== undefined) throw new AppError('GONE', `entry ${this.#entry.key} has another writer by now`);
  }
}
