import { type Deferred, deferred } from '../../util/deferred.ts';
import { AppError } from '../../util/errors.ts';

/** Those who wait for the same thing, each until it is there, it is refused, or nobody wants to know any more. */
export class Wishes<T> {
  readonly #waiting = new Set<Deferred<T>>();

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Waits. Rejects with what `refuse` is given, or with AppError `GONE` once `signal` aborts.
   * @param onWithdrawn called in that case, before the promise rejects
   */
  async wait(signal: AbortSignal, onWithdrawn: () => void = () => undefined): Promise<T> {
    const wish = deferred<T>();
    const withdraw = (): void => {
      if (!this.#waiting.delete(wish)) return;
      onWithdrawn();
      wish.reject(withdrawn());
    };
    if (signal.aborted) throw withdrawn();
    this.#waiting.add(wish);
    signal.addEventListener('abort', withdraw, { once: true });
    try {
      return await wish.promise;
    } finally {
      signal.removeEventListener('abort', withdraw);
    }
  }

  /** Answers all. */
  grant(answer: T): void {
    for (const wish of this.#take()) wish.resolve(answer);
  }

  /** Refuses all. */
  refuse(error: AppError): void {
    for (const wish of this.#take()) wish.reject(error);
  }

  #take(): Deferred<T>[] {
    const all = [...this.#waiting];
    this.#waiting.clear();
    return all;
  }
}

/** What becomes of a request that was aborted. */
export function withdrawn(): AppError {
  return new AppError('GONE', 'the request was aborted before there was an answer');
}
