import type { Clock } from '../util/clock.ts';
import { deferred } from '../util/deferred.ts';
import { AppError } from '../util/errors.ts';

/** How much may go on at a time. */
export interface LimiterOptions {
  readonly clock: Clock;
  readonly maxPerHost: number;
  readonly maxTotal: number;
  /** How many may wait; more are refused at once. */
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
}

interface Waiter {
  readonly host: string;
  readonly go: () => void;
}

/** Bounds how many requests go on, per host and together; whoever comes first goes first. */
export class HostLimiter {
  readonly #options: LimiterOptions;
  readonly #running = new Map<string, number>();
  #total = 0;
  #waiting: Waiter[] = [];

  constructor(options: LimiterOptions) {
    this.#options = options;
  }

  /**
   * Waits for a turn. The answer ends it and is idempotent.
   * @throws AppError `UNAVAILABLE` if it takes too long, too many wait, or `signal` aborts
   */
  async acquire(host: string, signal?: AbortSignal): Promise<() => void> {
    const { clock, maxWaiting, maxWaitMs } = this.#options;
    if (signal?.aborted === true) throw unavailable('the request was aborted');
    if (!this.#hasRoom(host)) {
      if (this.#waiting.length >= maxWaiting) throw unavailable('too many requests wait for web servers');
      await this.#turn(host, clock, maxWaitMs, signal);
    } else this.#take(host);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#release(host);
    };
  }

  async #turn(host: string, clock: Clock, maxWaitMs: number, signal: AbortSignal | undefined): Promise<void> {
    const waited = new AbortController();
    const turn = deferred<'turn'>();
    const mine: Waiter = {
      host,
      go: () => {
        this.#take(host);
        turn.resolve('turn');
      },
    };
    this.#waiting.push(mine);
    const onAbort = (): void => waited.abort();
    signal?.addEventListener('abort', onAbort, { once: true });
    const first = await Promise.race([turn.promise, clock.wait(maxWaitMs, waited.signal).then(() => 'over' as const)]);
    signal?.removeEventListener('abort', onAbort);
    waited.abort();
    if (first === 'turn') return;
    // The turn may have come in the same moment; nobody else would end it.
    if (this.#waiting.includes(mine)) this.#waiting = this.#waiting.filter((other) => other !== mine);
    else this.#release(host);
    throw unavailable(
      signal?.aborted === true ? 'the request was aborted' : 'too many requests go on to the web server',
    );
  }

  #hasRoom(host: string): boolean {
    const { maxPerHost, maxTotal } = this.#options;
    return this.#total < maxTotal && (this.#running.get(host) ?? 0) < maxPerHost;
  }

  #take(host: string): void {
    this.#total += 1;
    this.#running.set(host, (this.#running.get(host) ?? 0) + 1);
  }

  #release(host: string): void {
    this.#total -= 1;
    const left = (this.#running.get(host) ?? 1) - 1;
    if (left > 0) this.#running.set(host, left);
    else this.#running.delete(host);
    const next = this.#waiting.find((waiter) => this.#hasRoom(waiter.host));
    if (next === undefined) return;
    this.#waiting = this.#waiting.filter((other) => other !== next);
    next.go();
  }
}

function unavailable(reason: string): AppError {
  return new AppError('UNAVAILABLE', `${reason}; try again later`);
}
