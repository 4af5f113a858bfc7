import { readFile } from 'node:fs/promises';
import type { Clock } from '../util/clock.ts';
import { writeFileAtomically } from '../util/atomic-file.ts';
import type { Closable } from '../util/closer.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';

/** The numbers with which a broadcast has to go on. */
export interface SequenceNumbers {
  /** First media sequence number that was never used. */
  readonly nextMsn: number;
  /** Discontinuities so far. */
  readonly discontinuities: number;
}

interface SequenceStoreOptions {
  /** Where the numbers are kept; `undefined`: only in memory. */
  readonly file?: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Broadcasts that are remembered; those that ended longest ago go first. Default 10,000. */
  readonly maxBroadcasts?: number;
}

/** A broadcast in the store. */
interface Entry {
  numbers: SequenceNumbers;
  /** What the file says, or will: never less than what is in use. */
  reserved: SequenceNumbers;
}

/**
 * Numbers are reserved on disk ahead of their use, since a killed process writes nothing any more. Far more than a second's
 * worth, which is what one write is later than the next.
 */
const RESERVE: SequenceNumbers = { nextMsn: 256, discontinuities: 64 };

const WRITE_INTERVAL_MS = 1_000;

const MAX_BROADCASTS = 10_000;

/**
 * Remembers which numbers each broadcast has used, over restarts and crashes too: media sequence numbers never go back. After
 * a clean end they go on exactly, after a crash behind what was reserved.
 */
export class SequenceStore implements Closable {
  readonly #options: SequenceStoreOptions;
  /** The one that changed last is the last. */
  readonly #entries = new Map<string, Entry>();
  readonly #stop = new AbortController();
  #dirty = false;
  #writing: Promise<void> | undefined;

  /** A store that knows nothing; see `open` for one with a file. */
  constructor(options: SequenceStoreOptions) {
    this.#options = options;
  }

  /**
   * Opens the store; a file that cannot be understood is reported and replaced.
   * @throws AppError `BAD_CONFIG` if the file is there but cannot be read
   */
  static async open(options: SequenceStoreOptions & { readonly file: string }): Promise<SequenceStore> {
    const store = new SequenceStore(options);
    await store.#read(options.file);
    return store;
  }

  /** The numbers with which a broadcast goes on; `undefined` if it is new. */
  get(broadcast: string): SequenceNumbers | undefined {
    return this.#entries.get(broadcast)?.numbers;
  }

  /** Notes what a broadcast has used up by now; call it before a number is shown to anybody. */
  use(broadcast: string, numbers: SequenceNumbers): void {
    const entry = this.#entries.get(broadcast);
    const isReserved =
      entry !== undefined &&
      numbers.nextMsn + RESERVE.nextMsn / 2 <= entry.reserved.nextMsn &&
      numbers.discontinuities + RESERVE.discontinuities / 2 <= entry.reserved.discontinuities;
    if (isReserved) entry.numbers = numbers;
    else this.#set(broadcast, numbers, plus(numbers, RESERVE));
  }

  /** Notes that a broadcast ended with these numbers: what was reserved beyond them is free again. */
  end(broadcast: string, numbers: SequenceNumbers): void {
    this.#set(broadcast, numbers, numbers);
  }

  /** Writes what is not on disk yet. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#writing;
    if (this.#dirty) await this.#write();
  }

  #set(broadcast: string, numbers: SequenceNumbers, reserved: SequenceNumbers): void {
    this.#entries.delete(broadcast);
    this.#entries.set(broadcast, { numbers, reserved });
    const [oldest] = this.#entries.keys();
    const { maxBroadcasts = MAX_BROADCASTS } = this.#options;
    if (this.#entries.size > maxBroadcasts && oldest !== undefined) this.#entries.delete(oldest);
    if (this.#options.file === undefined) return;
    this.#dirty = true;
    this.#writing ??= this.#keepWriting();
  }

  async #keepWriting(): Promise<void> {
    while (this.#dirty && !this.#stop.signal.aborted) {
      await this.#write();
      await this.#options.clock.wait(WRITE_INTERVAL_MS, this.#stop.signal);
    }
    this.#writing = undefined;
  }

  async #write(): Promise<void> {
    const { file, logger } = this.#options;
    this.#dirty = false;
    if (file === undefined) return;
    const broadcasts = Object.fromEntries(
      [...this.#entries].map(([broadcast, { reserved }]) => [broadcast, [reserved.nextMsn, reserved.discontinuities]]),
    );
    try {
      await writeFileAtomically(file, JSON.stringify({ version: 1, broadcasts }));
    } catch (error) {
      logger.warn(
        { file, reason: reasonOf(error) },
        'sequence numbers were not saved; tries again with the next change',
      );
    }
  }

  async #read(file: string): Promise<void> {
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new AppError('BAD_CONFIG', `${file} cannot be read: ${reasonOf(error)}`, { cause: error });
    });
    if (text === undefined) return;
    try {
      for (const [broadcast, numbers] of parse(text)) this.#entries.set(broadcast, { numbers, reserved: numbers });
    } catch (error) {
      const message = 'sequence numbers of earlier broadcasts are lost: players that were watching have to reload';
      this.#options.logger.warn({ file, reason: reasonOf(error) }, message);
    }
  }
}

function plus(a: SequenceNumbers, b: SequenceNumbers): SequenceNumbers {
  return { nextMsn: a.nextMsn + b.nextMsn, discontinuities: a.discontinuities + b.discontinuities };
}

function parse(text: string): [string, SequenceNumbers][] {
  const { version, broadcasts } = JSON.parse(text) as { version?: unknown; broadcasts?: unknown };
  if (version !== 1 || typeof broadcasts !== 'object' || broadcasts === null)
    throw new Error('it has an unknown format');
  return Object.entries(broadcasts).map(([broadcast, numbers]: [string, unknown]) => {
    const [nextMsn, discontinuities] = Array.isArray(numbers) ? (numbers as unknown[]) : [];
    if (!isCount(nextMsn) || !isCount(discontinuities)) throw new Error(`the numbers of ${broadcast} make no sense`);
    return [broadcast, { nextMsn, discontinuities }];
  });
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
