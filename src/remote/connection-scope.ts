import { type Clock, systemClock } from '../util/clock.ts';
import { HostLimiter, type TurnOptions } from './limiter.ts';
import { UpstreamFailure } from './upstream-failure.ts';

const MAX_WAITING = 500;
const MAX_WAIT_MS = 10_000;
/** All connections of a scope are of one kind, whatever host they lead to. */
const ANY_HOST = '';

/** How many connections may belong together, whatever hosts they lead to, e.g. all of one source. */
export class ConnectionScope {
  readonly #limiter: HostLimiter;
  #maxConnections: number;

  constructor({ maxConnections, clock = systemClock }: { maxConnections: number; clock?: Clock }) {
    this.#maxConnections = maxConnections;
    this.#limiter = new HostLimiter({
      ...{ clock, maxPerHost: Infinity, maxWaiting: MAX_WAITING, maxWaitMs: MAX_WAIT_MS },
      maxTotal: () => this.#maxConnections,
    });
  }

  get maxConnections(): number {
    return this.#maxConnections;
  }

  /** From now on there may be so many; those that are more than that go on. */
  limitTo(maxConnections: number): void {
    this.#maxConnections = maxConnections;
    this.#limiter.wake();
  }

  /** True if another connection would have to wait. */
  get isFull(): boolean {
    return !this.#limiter.hasRoom(ANY_HOST);
  }

  /**
   * Waits for a connection that may be opened. The answer gives it back and is idempotent.
   * @throws UpstreamFailure `busy` or `aborted`
   */
  async acquire(options: TurnOptions): Promise<() => void> {
    try {
      return await this.#limiter.acquire(ANY_HOST, options);
    } catch (thrown) {
      if (!(thrown instanceof UpstreamFailure) || thrown.kind !== 'busy') throw thrown;
      const message = `the source may have ${this.maxConnections} connections at a time and all of them are in use`;
      throw new UpstreamFailure('busy', `${message}; try again later, or raise its maxConnections`);
    }
  }
}
