import { AppError } from '../../util/errors.ts';

/** Where a file ends, if that is earlier than it says: believed once two encoders in a row found it. */
export class SourceEnd {
  readonly #label: string;
  #suspected: number | undefined;
  #known: number | undefined;

  /** @param label the file's, for people */
  constructor(label: string) {
    this.#label = label;
  }

  /** The segment that is to be tried first to see whether the file ends there. */
  get suspected(): number | undefined {
    return this.#suspected;
  }

  /** Notes that an encoder which began with `first` found the end instead of segment `at`; why, if that is believed. */
  note(first: number, at: number): AppError | undefined {
    const isFirstTime = at !== this.#suspected || first !== at;
    this.#suspected = isFirstTime ? at : undefined;
    if (!isFirstTime) this.#known = at;
    return isFirstTime ? undefined : this.beyond(at);
  }

  /** Notes that a segment is there. */
  made(index: number): void {
    if (index === this.#suspected) this.#suspected = undefined;
  }

  /** Why there is no such segment; `undefined` if there should be. */
  beyond(index: number): AppError | undefined {
    if (this.#known === undefined || index < this.#known) return undefined;
    const message = `${this.#label} ends before segment ${this.#known}, earlier than it says: the file is not whole`;
    return new AppError('GONE', `${message}; play it anew to see what there is`);
  }
}
