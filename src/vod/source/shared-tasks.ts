import { untilAborted } from '../../util/abort.ts';
import type { Closable } from '../../util/closer.ts';
import { deferred } from '../../util/deferred.ts';
import { AppError, toError } from '../../util/errors.ts';

/** Keys that may wait for their turn. */
const MAX_WAITING = 100;

interface SharedTask<T> {
  readonly result: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
}

/** Runs a task once for all who want its result at the same time, and only so many tasks at once. */
export class SharedTasks<T> implements Closable {
  readonly #maxRunning: number;
  readonly #tasks = new Map<string, SharedTask<T>>();
  readonly #queue = new Set<() => void>();
  #running = 0;
  #closed = false;

  /** @param maxRunning tasks of different keys that run at once */
  constructor(maxRunning: number) {
    this.#maxRunning = maxRunning;
  }

  /**
   * The result of the task of a key. The task is aborted once nobody waits for it any more.
   * @throws what the task throws, AppError `UNAVAILABLE` if the signal aborts, too many keys wait, or all has ended
   */
  async run(key: string, task: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#closed || signal?.aborted === true) throw aborted();
    const shared = this.#tasks.get(key) ?? this.#start(key, task);
    shared.waiting += 1;
    try {
      return await untilAborted(shared.result, signal, aborted);
    } finally {
      shared.waiting -= 1;
      if (shared.waiting === 0) {
        if (this.#tasks.get(key) === shared) this.#tasks.delete(key);
        shared.controller.abort();
      }
    }
  }

  /** Aborts all tasks and waits for them. */
  async close(): Promise<void> {
    this.#closed = true;
    const tasks = [...this.#tasks.values()];
    for (const { controller } of tasks) controller.abort();
    await Promise.allSettled(tasks.map(({ result }) => result));
  }

  #start(key: string, task: (signal: AbortSignal) => Promise<T>): SharedTask<T> {
    if (this.#queue.size >= MAX_WAITING) {
      throw new AppError('UNAVAILABLE', `${MAX_WAITING} other sources are waiting to be looked at; try again later`);
    }
    const controller = new AbortController();
    const shared = { result: this.#perform(task, controller.signal), controller, waiting: 0 };
    const forget = (): void => {
      if (this.#tasks.get(key) === shared) this.#tasks.delete(key);
    };
    shared.result.then(forget, forget);
    this.#tasks.set(key, shared);
    return shared;
  }

  async #perform(task: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    while (this.#running >= this.#maxRunning && !signal.aborted) await this.#turn(signal);
    if (signal.aborted) throw aborted();
    this.#running += 1;
    try {
      return await task(signal);
    } catch (thrown) {
      throw toError(thrown);
    } finally {
      this.#running -= 1;
      this.#wakeNext();
    }
  }

  /** Waits until a task has ended or the signal aborts. */
  async #turn(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = deferred();
    this.#queue.add(resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    this.#queue.delete(resolve);
  }

  #wakeNext(): void {
    const [next] = this.#queue;
    if (next === undefined) return;
    this.#queue.delete(next);
    next();
  }
}

function aborted(): AppError {
  return new AppError('UNAVAILABLE', 'looking at the source was aborted');
}
