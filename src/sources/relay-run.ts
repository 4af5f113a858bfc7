import type { Clock } from '../util/clock.ts';
import type { Closable } from '../util/closer.ts';
import { deferred } from '../util/deferred.ts';
import { AppError } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import type { RelayRun, RunRequest, RunState, RunStatus } from './source-run.ts';
import { type SourceUpstream, tellable, UpstreamUse } from './source-upstream.ts';

/** What passes a source on: a `RelayChannel` is one. */
export interface SourceChannel extends Closable {
  readonly viewers: number;
}

/** What relay runs are made with. */
export interface RelayRunParts<Upstream extends SourceUpstream, Channel extends SourceChannel> {
  /** Does not release the upstream. */
  readonly openChannel: (name: string, upstream: Upstream) => Channel;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A source that is always on is looked at again after that: one that had its end, and one that failed. */
const LOOK_AGAIN_MS = Object.freeze({ ended: 60_000, failed: 1_000 });

/** Passes a source on. One that is always on is followed though nobody plays it, so that the first viewer need not wait. */
export class ChannelRun<Upstream extends SourceUpstream, Channel extends SourceChannel> implements RelayRun<Channel> {
  readonly channel: Channel;
  readonly #request: RunRequest;
  readonly #parts: RelayRunParts<Upstream, Channel>;
  readonly #use: UpstreamUse;
  readonly #stop = new AbortController();
  readonly #done = deferred();
  readonly #begun = deferred();
  readonly #over: Promise<void>;
  #state: 'starting' | 'begun' | 'failed' = 'starting';
  #failure: string | undefined;
  #hasEnded = false;

  /** @param upstream to be released by this */
  constructor(request: RunRequest, parts: RelayRunParts<Upstream, Channel>, upstream: Upstream) {
    this.#request = request;
    this.#parts = parts;
    this.#use = new UpstreamUse(upstream, request.onChange);
    this.channel = parts.openChannel(request.entry.name, upstream);
    this.#over = this.#run();
  }

  get done(): Promise<void> {
    return this.#done.promise;
  }

  status(): RunStatus {
    const use = this.#use.status();
    return { ...use, state: this.#shownState(), lastError: this.#failure ?? use.lastError };
  }

  ready(): Promise<void> {
    return this.#begun.promise;
  }

  viewers(): number {
    return this.channel.viewers;
  }

  async close(): Promise<void> {
    this.#stop.abort(new AppError('GONE', 'the source is being stopped'));
    await this.channel.close();
    await this.#over;
  }

  /** An upstream that nobody asks anything of rests. */
  #shownState(): RunState {
    if (this.#state !== 'begun') return this.#state;
    const { state } = this.#use.upstream.status();
    if (state === 'failing') return 'waiting';
    return state === 'ended' || this.#hasEnded ? 'ended' : 'live';
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { entry, onChange } = this.#request;
    try {
      if ((await this.#use.upstream.kind(signal)) !== 'hls') {
        throw new AppError('BAD_MEDIA', 'it is a continuous stream, which cannot be relayed; use the mode "ladder"');
      }
      await this.#use.upstream.ladder(signal);
      this.#state = 'begun';
      this.#begun.resolve();
      onChange();
      if (entry.onDemand !== true) await this.#keepWarm(signal);
      else await aborted(signal);
    } catch (error) {
      this.#state = 'failed';
      this.#failure = tellable(error, { source: entry.name, logger: this.#parts.logger });
      this.#begun.reject(new AppError('UNAVAILABLE', this.#failure));
    }
    await this.channel.close();
    this.#use.close();
    this.#done.resolve();
    onChange();
  }

  async #keepWarm(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#followToEnd(signal);
      await this.#parts.clock.wait(LOOK_AGAIN_MS[this.#hasEnded ? 'ended' : 'failed'], signal);
    }
  }

  /** Until it ends or fails; the upstream itself tells what went wrong. */
  async #followToEnd(signal: AbortSignal): Promise<void> {
    const { upstream } = this.#use;
    try {
      const { renditions } = await upstream.ladder(signal);
      const followed = upstream.follow(renditions[0]?.id ?? '');
      try {
        for (let version = -1, ended = false; !ended;) {
          ({ version, ended } = await followed.next(version, signal));
          if (ended === this.#hasEnded) continue;
          this.#hasEnded = ended;
          this.#request.onChange();
        }
      } finally {
        followed.release();
      }
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
