import { readFile } from 'node:fs/promises';
import { writeFileAtomically } from '../../util/atomic-file.ts';
import type { Clock } from '../../util/clock.ts';
import type { Closable } from '../../util/closer.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import { formatRecords, parseRecords, type SessionRecord } from './session-record.ts';

interface SessionStoreOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

const WRITE_INTERVAL_MS = 1_000;

/** Sources may hold credentials. */
const MODE = 0o600;

/** Keeps sessions on disk over restarts and crashes: what a crash loses is at most a second old. */
export class SessionStore implements Closable {
  readonly #options: SessionStoreOptions;
  readonly #stop = new AbortController();
  #unwritten: (() => readonly SessionRecord[]) | undefined;
  #writing: Promise<void> | undefined;

  constructor(options: SessionStoreOptions) {
    this.#options = options;
  }

  /**
   * The sessions of the last run. A file that cannot be understood is reported, and replaced later.
   * @throws AppError `BAD_CONFIG` if the file is there but cannot be read
   */
  async read(): Promise<SessionRecord[]> {
    const { file, logger } = this.#options;
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new AppError('BAD_CONFIG', `${file} cannot be read: ${reasonOf(error)}`, { cause: error });
    });
    if (text === undefined) return [];
    try {
      return parseRecords(text);
    } catch (error) {
      logger.warn({ file, reason: reasonOf(error) }, 'sessions of files are lost: viewers have to start new ones');
      return [];
    }
  }

  /** Notes that something has changed; `records` is called when it is written, at most once a second. */
  save(records: () => readonly SessionRecord[]): void {
    this.#unwritten = records;
    this.#writing ??= this.#keepWriting();
  }

  /** Writes what is not on disk yet. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#writing;
    await this.#write();
  }

  async #keepWriting(): Promise<void> {
    while (this.#unwritten !== undefined && !this.#stop.signal.aborted) {
      await this.#write();
      await this.#options.clock.wait(WRITE_INTERVAL_MS, this.#stop.signal);
    }
    this.#writing = undefined;
  }

  async #write(): Promise<void> {
    const { file, logger } = this.#options;
    const records = this.#unwritten;
    this.#unwritten = undefined;
    if (records === undefined) return;
    try {
      await writeFileAtomically(file, formatRecords(records()), MODE);
    } catch (error) {
      logger.warn({ file, reason: reasonOf(error) }, 'sessions were not saved; tries again with the next change');
    }
  }
}
