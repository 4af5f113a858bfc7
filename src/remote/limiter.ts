import type { Clock } from '../util/clock.ts';
import { deferred } from '../util/deferred.ts';
import { UpstreamFailure } from './upstream-failure.ts';

/** `asked`: somebody waits for it; `prefetch`: somebody may want it later, so it gives way. */
export type Priority = 'asked' | 'prefetch';

/** Who asks for a turn. */
export interface TurnOptions {
  readonly signal?: AbortSignal | undefined;
  /** Asked whenever a turn is given, so that it may change meanwhile; `asked` if left out. */
  readonly priority?: (() => Priority) | undefined;
}

/** How much may go on at a time. */
export interface LimiterOptions {
  readonly clock: Clock;
  readonly maxPerHost: number;
  /** Asked whenever a turn could be given, if it is a function. */
  readonly maxTotal: number | (() => number);
  /** How many may wait; more are refused at once. */
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
}

interface Waiter {
  readonly host: string;
  readonly priority: (() => Priority) | undefined;
  readonly go: () => void;
}

/** Bounds how many requests go on, per host and together; of equal priority, whoever comes first goes first. */
export class HostLimiter {
  readonly #options: LimiterOptions;
  readonly #running = new Map<string, number>();
  #total = 0;
  #waiting: Waiter[] = [];

  constructor(options: LimiterOptions) {
    this.#options = options;
  }

  /** True if nobody would have to wait for a turn at this host. */
  hasRoom(host: string): boolean {
    const { maxPerHost, maxTotal } = this.#options;
    const total = typeof maxTotal === 'number' ? maxTotal : maxTotal();
    return this.#total < total && (this.#running.get(host) ?? 0) < maxPerHost;
  }

  /**
   * Waits for a turn. The answer ends it and is idempotent.
   * @throws UpstreamFailure `busy` if it takes too long or too many wait, `aborted` at once if `signal` aborts
   */
  async acquire(host: string, { signal, priority }: TurnOptions = {}): Promise<() => void> {
    const { maxWaiting } = this.#options;
    if (signal?.aborted === true) throw aborted();
    if (!this.hasRoom(host)) {
      if (this.#waiting.length >= maxWaiting) throw busy('too many requests wait for web servers');
      await this.#turn(host, priority, signal);
    } else this.#take(host);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#release(host);
    };
  }

  async #turn(host: string, priority: Waiter['priority'], signal: AbortSignal | undefined): Promise<void> {
    const { clock, maxWaitMs } = this.#options;
    const waited = new AbortController();
    const turn = deferred<'turn'>();
    const mine: Waiter = {
      host,
      priority,
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
    throw signal?.aborted === true ? aborted() : busy('too many requests go on to the web server');
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
    this.wake();
  }

  /** Gives turns to those who wait, as far as there is room: to be called when `maxTotal` has grown. */
  wake(): void {
    while (this.#giveTurn());
  }

  #giveTurn(): boolean {
    const able = this.#waiting.filter((waiter) => this.hasRoom(waiter.host));
    const next = able.find(({ priority }) => priority?.() !== 'prefetch') ?? able[0];
    if (next === undefined) return false;
    this.#waiting = this.#waiting.filter((other) => other !== next);
    next.go();
    return true;
  }
}

/** No turn came in time. */
export function busy(reason: string): UpstreamFailure {
  return new UpstreamFailure('busy', `${reason}; try again later`);
}

function aborted(): UpstreamFailure {
  return new UpstreamFailure('aborted', 'the request was aborted; try again later');
}
