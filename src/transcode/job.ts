import { BoundedFeed } from '../broadcast/bounded-feed.ts';
import type { FragmentSink, FragmentSource } from '../broadcast/fragment-broadcaster.ts';
import type { RenditionSpec } from '../ladder/rendition.ts';
import { type Fragment, sameInit, type TrackInit } from '../media/fragment.ts';
import { Backoff, type BackoffOptions } from '../util/backoff.ts';
import type { Clock } from '../util/clock.ts';
import type { Closable } from '../util/closer.ts';
import { deferred } from '../util/deferred.ts';
import type { Logger } from '../util/logger.ts';
import { reasonOf } from '../util/errors.ts';
import { PhaseGuard } from './guard.ts';
import type { JobKey } from './job-key.ts';
import type { JobStats } from './job-stats.ts';
import { OutputTrack } from './output-track.ts';
import { type RunEnd, TranscodeRun } from './run.ts';
import { type JobState, toRow, type TranscodeRow } from './transcode-row.ts';
import type { TranscoderFactory } from './transcoder.ts';

/** What a job needs; `openOutput` is called with the first fragment that comes out. */
export interface JobOptions {
  readonly key: JobKey;
  readonly spec: RenditionSpec;
  readonly factory: TranscoderFactory;
  readonly source: FragmentSource;
  readonly openOutput: (init: TrackInit) => FragmentSink;
  readonly stats: JobStats;
  readonly backoff: BackoffOptions;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Keeps one transcoder going on one source track: a run for each init and epoch, and another one from the newest keyframe,
 * after a while, when a run fails. Ends with its source, or when it is closed because its rung is not wanted any more.
 */
export class TranscodeJob implements Closable {
  /** Resolves when the job has ended and freed everything; never rejects. */
  readonly done: Promise<void>;
  readonly #options: JobOptions;
  readonly #output: OutputTrack;
  readonly #guard: PhaseGuard;
  readonly #backoff: Backoff;
  readonly #removed = new AbortController();
  #feed: BoundedFeed | undefined;
  #runStartedAtMs = 0;
  #run: TranscodeRun | undefined;
  #state: JobState = { type: 'starting' };

  constructor(options: JobOptions) {
    this.#options = options;
    this.#output = new OutputTrack(options.openOutput);
    this.#guard = new PhaseGuard(options.stats.panics, options.logger);
    this.#backoff = new Backoff(options.backoff);
    const feed = new BoundedFeed(options.source);
    this.#feed = feed;
    this.done = this.#live(feed).catch((thrown: unknown) => {
      options.logger.error({ reason: reasonOf(thrown) }, 'transcode job broke');
      this.#state = { type: 'failed', reason: reasonOf(thrown) };
      this.#free();
    });
  }

  get source(): FragmentSource {
    return this.#options.source;
  }

  get spec(): RenditionSpec {
    return this.#options.spec;
  }

  get key(): JobKey {
    return this.#options.key;
  }

  /** Why the job ended, once it has. */
  get endReason(): string | undefined {
    return this.#state.type === 'ended' || this.#state.type === 'failed' ? this.#state.reason : undefined;
  }

  /** True if the job gave up because another producer has its output track. */
  get failed(): boolean {
    return this.#state.type === 'failed';
  }

  /** The job as admins see it; `undefined` if another factory serves the pair by design. */
  row(): TranscodeRow | undefined {
    const state = this.#state;
    if (state.type === 'skipped' && state.servedElsewhere) return undefined;
    const started = state.type === 'starting' && this.#run?.hasOutput === true;
    return toRow(this.#options.stats, started ? { type: 'running' } : state, this.#run?.facts(), this.#feed?.dropped);
  }

  /** Ends the job at once because its rung is not wanted: its output closes before this returns. */
  close(): Promise<void> {
    this.#removed.abort();
    this.#free();
    return this.done;
  }

  async #live(feed: BoundedFeed): Promise<void> {
    let fragment = await feed.next(this.#removed.signal);
    while (fragment !== undefined) {
      const end = await this.#runOnce(fragment, feed);
      if (end.type === 'succeeded') {
        fragment = end.first;
        continue;
      }
      if (end.type === 'source-ended' || end.type === 'removed') break;
      if (end.type === 'conflict') {
        this.#giveUp(end.reason);
        return;
      }
      this.#closeFeed();
      if (end.type === 'opted-out') await this.#skip(fragment.init, end.reason, end.servedElsewhere);
      else await this.#backOff(end.reason);
      if (this.#removed.signal.aborted) break;
      feed = new BoundedFeed(this.source);
      this.#feed = feed;
      fragment = await feed.next(this.#removed.signal);
    }
    const reason = this.#removed.signal.aborted ? 'rung removed or changed' : 'source ended';
    this.#state = { type: 'ended', reason };
    this.#free();
  }

  async #runOnce(first: Fragment, feed: BoundedFeed): Promise<RunEnd> {
    const { source, spec, factory, stats, clock } = this.#options;
    this.#state = { type: 'starting' };
    this.#runStartedAtMs = clock.nowMs();
    const run = new TranscodeRun({
      ...{ source, spec, factory, stats, clock },
      ...{ output: this.#output, guard: this.#guard, removed: this.#removed.signal },
    });
    this.#run = run;
    const end = await run.drive(first, feed);
    this.#run = undefined;
    return end;
  }

  #giveUp(reason: string): void {
    this.#options.logger.error({ reason }, 'transcode job gave up');
    this.#state = { type: 'failed', reason };
    this.#free();
  }

  /** Waits for the next try, not longer than the source lives. */
  async #backOff(reason: string): Promise<void> {
    const { clock, logger, stats } = this.#options;
    const delayMs = this.#backoff.nextDelayMs(clock.nowMs() - this.#runStartedAtMs);
    this.#state = { type: 'backing-off', reason };
    logger.warn({ reason, delayMs }, 'transcoder failed; starting again');
    const awake = new AbortController();
    const stopListening = this.#onSourceNews({ end: () => awake.abort() });
    await clock.wait(delayMs, awake.signal);
    stopListening();
    if (!awake.signal.aborted) stats.restarts += 1;
  }

  /** Stands by until the source's init changes, which may change the factory's mind. */
  async #skip(init: TrackInit, reason: string, servedElsewhere: boolean): Promise<void> {
    this.#state = { type: 'skipped', reason, servedElsewhere };
    this.#output.withdraw();
    if (!servedElsewhere) this.#options.logger.info({ reason }, 'rung skipped');
    const news = deferred();
    const isOther = (other: TrackInit): boolean => other !== init && !sameInit(other, init);
    const stopListening = this.#onSourceNews({
      next: (fragment) => {
        if (isOther(fragment.init)) news.resolve();
      },
      end: news.resolve,
    });
    if (isOther(this.source.init)) news.resolve();
    await news.promise;
    stopListening();
  }

  /** Tells of the source's fragments, and of its end or the rung's removal, at once if it has come already. */
  #onSourceNews(listener: { next?: (fragment: Fragment) => void; end: () => void }): () => void {
    const removed = this.#removed.signal;
    const { next, end } = listener;
    removed.addEventListener('abort', end);
    const subscription = this.source.fragments$.subscribe({ ...(next && { next }), complete: end });
    if (removed.aborted) end();
    return () => {
      removed.removeEventListener('abort', end);
      subscription.unsubscribe();
    };
  }

  #closeFeed(): void {
    this.#options.stats.dropped += this.#feed?.dropped ?? 0;
    this.#feed?.close();
    this.#feed = undefined;
  }

  #free(): void {
    this.#closeFeed();
    this.#output.close();
  }
}
