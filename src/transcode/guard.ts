import type { Logger } from '../util/logger.ts';
import { reasonOf, toError } from '../util/errors.ts';

/** Where in a transcoder's life something was thrown. */
export type Phase = 'start' | 'fragment' | 'stop';

/** Throws so far, by phase. */
export type PanicCounts = Record<Phase, number>;

/** The one place from which a transcoder's methods are called: whatever they throw ends here, counted by phase. */
export class PhaseGuard {
  readonly #panics: PanicCounts;
  readonly #logger: Logger;

  constructor(panics: PanicCounts, logger: Logger) {
    this.#panics = panics;
    this.#logger = logger;
  }

  /** Runs the task; answers what it threw or rejected with, if anything. Synchronous tasks are answered synchronously. */
  run(phase: Phase, task: () => void | Promise<void>): Error | undefined | Promise<Error | undefined> {
    try {
      const result = task();
      if (!(result instanceof Promise)) return undefined;
      return result.then(
        () => undefined,
        (thrown: unknown) => this.#count(phase, thrown),
      );
    } catch (thrown) {
      return this.#count(phase, thrown);
    }
  }

  /** Runs a task that has no phase of its own, since by contract it never throws; a breach is logged. */
  quietly(task: () => void): void {
    try {
      task();
    } catch (thrown) {
      this.#logger.error({ reason: reasonOf(thrown) }, 'transcoder threw where it must not');
    }
  }

  #count(phase: Phase, thrown: unknown): Error {
    this.#panics[phase] += 1;
    const level = phase === 'fragment' && this.#panics.fragment > 1 ? 'debug' : 'warn';
    this.#logger[level]({ phase, reason: reasonOf(thrown), count: this.#panics[phase] }, 'transcoder threw');
    return toError(thrown);
  }
}
