import type { BoundedFeed } from '../broadcast/bounded-feed.ts';
import type { FragmentSource } from '../broadcast/fragment-broadcaster.ts';
import type { RenditionSpec } from '../ladder/rendition.ts';
import { type Fragment, sameInit } from '../media/fragment.ts';
import type { Clock } from '../util/clock.ts';
import { AppError, reasonOf, toError } from '../util/errors.ts';
import type { PhaseGuard } from './guard.ts';
import type { JobStats } from './job-stats.ts';
import type { OutputTrack } from './output-track.ts';
import type { Transcoder, TranscoderFacts, TranscoderFactory } from './transcoder.ts';
import { Watchdog } from './watchdog.ts';

/** How long a run may take to hand out what is left, in ms. */
export const DRAIN_TIMEOUT_MS = 5_000;
const WATCH_INTERVAL_MS = 250;

/** Everything that a run works with; owned by the job. */
export interface RunOptions {
  readonly source: FragmentSource;
  readonly spec: RenditionSpec;
  readonly factory: TranscoderFactory;
  readonly output: OutputTrack;
  readonly stats: JobStats;
  readonly guard: PhaseGuard;
  readonly clock: Clock;
  /** Aborts when the rung is removed. */
  readonly removed: AbortSignal;
}

/** How a run ended. */
export type RunEnd =
  | { readonly type: 'source-ended' }
  | { readonly type: 'removed' }
  /** Another run is to go on with this fragment: its init or epoch is another, or this run's lifetime is over. */
  | { readonly type: 'succeeded'; readonly first: Fragment }
  | { readonly type: 'opted-out'; readonly reason: string; readonly servedElsewhere: boolean }
  | { readonly type: 'conflict'; readonly reason: string }
  | { readonly type: 'failed'; readonly reason: string };

/** One life of one transcoder: from a keyframe to the end of its source, its epoch, its rung or itself. */
export class TranscodeRun {
  readonly #options: RunOptions;
  readonly #watchdog: Watchdog;
  /** Aborts when the run is broken or its rung was removed. */
  readonly #over = new AbortController();
  #transcoder: Transcoder | undefined;
  #failure: RunEnd | undefined;
  #hasOutput = false;
  #draining = false;
  #pushed = 0;
  #freed: Promise<void> | undefined;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#watchdog = new Watchdog(options.clock.nowMs());
  }

  /** True once the transcoder has put something out. */
  get hasOutput(): boolean {
    return this.#hasOutput;
  }

  get #isOutlived(): boolean {
    return this.#pushed >= (this.#transcoder?.lifetimeFragments ?? Infinity);
  }

  get #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /** What the transcoder tells about itself. */
  facts(): TranscoderFacts {
    let facts: TranscoderFacts | undefined;
    this.#options.guard.quietly(() => (facts = this.#transcoder?.facts?.()));
    return facts ?? {};
  }

  /** Runs to the end; never rejects. `first` is where the transcoder starts, `feed` has what follows. */
  async drive(first: Fragment, feed: BoundedFeed): Promise<RunEnd> {
    const { clock, removed, source, stats } = this.#options;
    const built = this.#build(first);
    if (built !== undefined) return built;

    stats.beginRun();
    const arrivals = source.fragments$.subscribe((fragment) => {
      this.#watchdog.input(fragment);
      stats.input(fragment);
    });
    const stopWatching = clock.every(WATCH_INTERVAL_MS, () => this.#watch());
    const onRemoved = (): void => this.#end({ type: 'removed' });
    removed.addEventListener('abort', onRemoved, { once: true });
    try {
      if (removed.aborted) onRemoved();
      return await this.#live(first, feed);
    } finally {
      removed.removeEventListener('abort', onRemoved);
      stopWatching();
      arrivals.unsubscribe();
      this.#over.abort();
      await this.#freed;
    }
  }

  /** Answers how the run ended already, if there is no transcoder for it. */
  #build(first: Fragment): RunEnd | undefined {
    const { factory, guard, source, spec } = this.#options;
    const over = this.#over.signal;
    let optOut: RunEnd | undefined;
    const thrown = guard.run('start', () => {
      const built = factory.build({
        source: source.key,
        rendition: spec,
        init: first.init,
        epoch: first.epoch,
        emit: (fragment) => this.#emit(fragment),
        fail: (error) => {
          if (!this.#draining && !over.aborted) this.#end({ type: 'failed', reason: reasonOf(error) });
        },
      });
      if ('optOut' in built) {
        optOut = { type: 'opted-out', reason: built.optOut, servedElsewhere: built.servedElsewhere === true };
      } else {
        this.#transcoder = built;
      }
    });
    return thrown instanceof Error ? { type: 'failed', reason: reasonOf(thrown) } : optOut;
  }

  async #live(first: Fragment, feed: BoundedFeed): Promise<RunEnd> {
    const over = this.#over.signal;
    const thrown = await this.#guarded('start', (transcoder) => transcoder.start());
    if (thrown !== undefined) this.#end({ type: 'failed', reason: `start failed: ${reasonOf(thrown)}` });

    for (let fragment = first; !over.aborted;) {
      await this.#push(fragment);
      const next = await feed.next(over);
      if (this.#isOver) break;
      if (next === undefined) return this.#drain({ type: 'source-ended' });
      if (next.epoch !== first.epoch || !sameInit(next.init, first.init) || (next.keyframe && this.#isOutlived)) {
        return this.#drain({ type: 'succeeded', first: next });
      }
      fragment = next;
    }
    return this.#failure ?? { type: 'removed' };
  }

  #push(fragment: Fragment): Promise<unknown> | undefined {
    this.#options.stats.fragmentsSeen += 1;
    this.#pushed += 1;
    return this.#guarded('fragment', (transcoder) => transcoder.push(fragment));
  }

  /** Lets the transcoder hand out what is left, for a bounded time. */
  async #drain(end: RunEnd): Promise<RunEnd> {
    this.#draining = true;
    const drained = new AbortController();
    void this.#options.clock.wait(DRAIN_TIMEOUT_MS, drained.signal).then(() => {
      if (!drained.signal.aborted) this.#end({ type: 'failed', reason: `not drained after ${DRAIN_TIMEOUT_MS} ms` });
    });
    const thrown = await this.#guarded('stop', (transcoder) => transcoder.stop());
    drained.abort();
    if (thrown !== undefined) this.#abortTranscoder();
    return this.#failure?.type === 'removed' || this.#failure?.type === 'conflict' ? this.#failure : end;
  }

  /** Calls into the transcoder; answers what it threw, or nothing as soon as the run is over. */
  #guarded(
    phase: 'start' | 'fragment' | 'stop',
    call: (transcoder: Transcoder) => void | Promise<void>,
  ): Promise<Error | undefined> | undefined {
    const transcoder = this.#transcoder;
    if (transcoder === undefined || this.#over.signal.aborted) return undefined;
    const result = this.#options.guard.run(phase, () => call(transcoder));
    if (result === undefined) return undefined;
    return result instanceof Promise ? unlessAborted(result, this.#over.signal) : Promise.resolve(result);
  }

  #emit(fragment: Fragment): void {
    if (this.#over.signal.aborted) return;
    const { clock, output, stats } = this.#options;
    this.#hasOutput = true;
    this.#watchdog.output(clock.nowMs());
    try {
      const emitted = output.emit(fragment);
      if (emitted !== undefined) stats.output(emitted, clock.nowMs());
    } catch (thrown) {
      const type = thrown instanceof AppError && thrown.code === 'CONFLICT' ? 'conflict' : 'failed';
      this.#end({ type, reason: reasonOf(toError(thrown)) });
    }
  }

  #watch(): void {
    const verdict = this.#watchdog.verdict(this.#options.clock.nowMs());
    if (verdict !== undefined && !this.#draining) this.#end({ type: 'failed', reason: verdict });
  }

  /** Ends the run at once; the first reason counts. */
  #end(end: RunEnd): void {
    if (this.#failure !== undefined) return;
    this.#failure = end;
    this.#over.abort();
    this.#abortTranscoder();
  }

  #abortTranscoder(): void {
    this.#options.guard.quietly(() => {
      const freed = this.#transcoder?.abort();
      if (freed instanceof Promise) this.#freed = freed;
    });
  }
}

/** What the promise resolves to, or `undefined` as soon as the signal aborts. Leaves nothing behind on the signal. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve) => {
    const finish = (value?: T): void => {
      signal.removeEventListener('abort', onAbort);
      resolve(value);
    };
    const onAbort = (): void => {
      finish();
    };
    if (signal.aborted) {
      resolve(undefined);
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    void promise.then(finish);
  });
}
