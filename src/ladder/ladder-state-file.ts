import { readFile, rename } from 'node:fs/promises';
import { writeFileAtomically } from '../util/atomic-file.ts';
import { deepFreeze } from '../util/deep-freeze.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import { checkSchema } from '../util/schema-check.ts';
import { LadderState } from './ladder-overlay.ts';
import { checkRendition } from './rendition-rules.ts';

const EMPTY: LadderState = deepFreeze<LadderState>({ version: 1, ladders: {} });

/** Keeps what admins changed across restarts. */
export class LadderStateFile {
  readonly #file: string;
  readonly #logger: Logger;

  constructor(file: string, logger: Logger) {
    this.#file = file;
    this.#logger = logger;
  }

  /**
   * The saved state; empty if there is none. A damaged file is set aside, with an error in the log, so that the server
   * starts with the ladder files alone.
   * @throws AppError `BAD_CONFIG` if the file cannot be read or set aside.
   */
  async load(): Promise<LadderState> {
    let text: string;
    try {
      text = await readFile(this.#file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY;
      throw new AppError('BAD_CONFIG', `${this.#file} cannot be read: ${reasonOf(error)}`, { cause: error });
    }
    try {
      return deepFreeze(this.#parse(text));
    } catch (error) {
      await this.#setAside(reasonOf(error));
      return EMPTY;
    }
  }

  /** @throws AppError `UNAVAILABLE` if it cannot be written; the old state is kept then. */
  async save(state: LadderState): Promise<void> {
    try {
      await writeFileAtomically(this.#file, `${JSON.stringify(state, undefined, 2)}\n`);
    } catch (error) {
      const message = `the change could not be saved in ${this.#file}: ${reasonOf(error)}`;
      this.#logger.error({ file: this.#file, reason: reasonOf(error) }, 'ladder change not saved');
      throw new AppError('UNAVAILABLE', message, { cause: error });
    }
  }

  #parse(text: string): LadderState {
    const state = checkSchema(LadderState, JSON.parse(text), { subject: this.#file });
    for (const [ladder, { added }] of Object.entries(state.ladders)) {
      for (const spec of added) checkRendition(spec, `ladder ${ladder}, rendition "${spec.name}"`, 'BAD_CONFIG');
    }
    return state;
  }

  async #setAside(reason: string): Promise<void> {
    const aside = `${this.#file}.damaged`;
    try {
      await rename(this.#file, aside);
    } catch (error) {
      throw new AppError('BAD_CONFIG', `${this.#file} is damaged (${reason}); move it away`, { cause: error });
    }
    const message = 'saved ladder changes are damaged and were set aside; the ladder files apply unchanged';
    this.#logger.error({ file: this.#file, aside, reason }, message);
  }
}
