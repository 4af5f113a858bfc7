import { readFile, rename } from 'node:fs/promises';
import { type Static, Type } from 'typebox';
import { SourceEntry } from '../config/source-entry.ts';
import { writeFileAtomically } from '../util/atomic-file.ts';
import { deepFreeze } from '../util/deep-freeze.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import { checkSchema } from '../util/schema-check.ts';

const State = Type.Object(
  { version: Type.Literal(1), sources: Type.Array(SourceEntry, { maxItems: 10_000 }) },
  { additionalProperties: false },
);
type State = Static<typeof State>;

/** Addresses and headers hold credentials. */
const MODE = 0o600;

/** Keeps the sources that were added over REST across restarts. */
export class SourceStore {
  readonly #file: string;
  readonly #logger: Logger;

  constructor({ file, logger }: { file: string; logger: Logger }) {
    this.#file = file;
    this.#logger = logger;
  }

  /**
   * What was saved; nothing if there is no file. A damaged file is set aside, with an error in the log.
   * @throws AppError `BAD_CONFIG` if the file cannot be read or set aside
   */
  async load(): Promise<readonly SourceEntry[]> {
    const file = this.#file;
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new AppError('BAD_CONFIG', `${file} cannot be read: ${reasonOf(error)}`, { cause: error });
    });
    if (text === undefined) return [];
    try {
      return deepFreeze(checkSchema(State, parseJson(text), { subject: file, secretKeys: ['sources'] }).sources);
    } catch (error) {
      await this.#setAside(reasonOf(error));
      return [];
    }
  }

  /** @throws AppError `UNAVAILABLE` if it cannot be written; what was saved before is kept then */
  async save(sources: readonly SourceEntry[]): Promise<void> {
    const state: State = { version: 1, sources: [...sources] };
    try {
      await writeFileAtomically(this.#file, `${JSON.stringify(state, undefined, 2)}\n`, MODE);
    } catch (error) {
      this.#logger.error({ file: this.#file, reason: reasonOf(error) }, 'change of the sources not saved');
      const message = `the change could not be saved in ${this.#file}: ${reasonOf(error)}`;
      throw new AppError('UNAVAILABLE', message, { cause: error });
    }
  }

  async #setAside(reason: string): Promise<void> {
    const file = this.#file;
    const aside = `${file}.damaged`;
    try {
      await rename(file, aside);
    } catch (error) {
      throw new AppError('BAD_CONFIG', `${file} is damaged (${reason}); move it away`, { cause: error });
    }
    this.#logger.error({ file, aside, reason }, 'saved sources are damaged and were set aside');
  }
}

/** The parser quotes what it cannot read, and that may be a secret. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AppError('BAD_CONFIG', 'it is no JSON');
  }
}
