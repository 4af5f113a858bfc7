import { isDeepStrictEqual } from 'node:util';
import { merge } from 'rxjs';
import type { BroadcasterRegistry } from '../broadcast/registry.ts';
import type { FragmentSource } from '../broadcast/fragment-broadcaster.ts';
import type { LadderSource } from '../ladder/ladder-source.ts';
import type { RenditionSpec } from '../ladder/rendition.ts';
import { SOURCE_RENDITION } from '../media/track-key.ts';
import type { BackoffOptions } from '../util/backoff.ts';
import type { Clock } from '../util/clock.ts';
import { type Closable, Closer } from '../util/closer.ts';
import { reasonOf } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import { TranscodeJob } from './job.ts';
import { formatJobKey, type JobKey, outputKey } from './job-key.ts';
import { StatsBook } from './job-stats.ts';
import { toRow, type TranscodeRow } from './transcode-row.ts';
import type { TranscoderFactory } from './transcoder.ts';

/** Waits between the tries of a failing transcoder. */
const TRANSCODE_BACKOFF: BackoffOptions = Object.freeze({ firstMs: 500, maxMs: 10_000, resetAfterMs: 60_000 });
/** Keys whose counters are kept. */
export const MAX_STATS_KEYS = 1_000;

/** What the runner works with. */
export interface RunnerOptions {
  readonly registry: BroadcasterRegistry;
  readonly ladders: LadderSource;
  /** Each is offered every (rendition, source track); their names differ. */
  readonly factories: readonly TranscoderFactory[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly backoff?: BackoffOptions;
}

interface Wanted {
  readonly key: JobKey;
  readonly spec: RenditionSpec;
  readonly factory: TranscoderFactory;
  readonly source: FragmentSource;
}

/**
 * Keeps one job running for each (factory, rendition, broadcast, track) that ladders and open source tracks call for.
 * Whatever changes, the answer is the same: compare what should run with what does. Only source tracks are ever offered
 * to factories, so an output is never transcoded.
 */
export class TranscodeRunner implements Closable {
  readonly #options: RunnerOptions;
  readonly #jobs = new Map<string, TranscodeJob>();
  readonly #stats = new StatsBook(MAX_STATS_KEYS);
  /** Jobs that are not wanted any more but have not freed everything yet. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #closer = new Closer();
  #reconciling = false;
  #again = false;

  /** @throws TypeError if two factories have the same name. */
  constructor(options: RunnerOptions) {
    const names = options.factories.map(({ name }) => name);
    if (new Set(names).size !== names.length) throw new TypeError(`factory names must differ: ${names.join(', ')}`);
    this.#options = options;
    this.#closer.add(() => this.#closeJobs());
    const { registry, ladders } = options;
    const subscription = merge(registry.opened$, registry.closed$, ladders.changed$).subscribe(() => this.#reconcile());
    this.#closer.add(() => subscription.unsubscribe());
  }

  /** One row per key: live jobs, skipped rungs, and keys of which only counters are left; oldest first. */
  list(): TranscodeRow[] {
    return this.#stats.list().flatMap((stats): TranscodeRow[] => {
      const job = this.#jobs.get(formatJobKey(stats.key));
      const ended = stats.used ? toRow(stats, { type: 'ended', reason: stats.endReason ?? '' }) : undefined;
      const row = job === undefined ? ended : job.row();
      return row === undefined ? [] : [row];
    });
  }

  /** Ends all jobs at once and waits until their children are gone. */
  close(): Promise<void> {
    return this.#closer.close();
  }

  #reconcile(): void {
    this.#again = true;
    if (this.#reconciling || this.#closer.closed) return;
    this.#reconciling = true;
    try {
      // Ending a job closes its output, which asks for reconciliation once more.
      while (this.#again) {
        this.#again = false;
        this.#endUnwanted();
        for (const wanted of this.#wanted()) this.#start(wanted);
      }
    } catch (thrown) {
      this.#options.logger.error({ reason: reasonOf(thrown) }, 'transcode jobs could not be reconciled');
    } finally {
      this.#reconciling = false;
    }
    this.#stats.trim(this.#jobs);
  }

  #wanted(): Wanted[] {
    const { factories, ladders, registry } = this.#options;
    const sources = registry.list().filter(({ key }) => key.rendition === SOURCE_RENDITION);
    return sources.flatMap((source) => {
      const { broadcast, track } = source.key;
      return ladders.renditionsFor(broadcast).flatMap((spec) =>
        factories.map((factory) => {
          const key: JobKey = { factory: factory.name, rendition: spec.name, broadcast, track };
          return { key, spec, factory, source };
        }),
      );
    });
  }

  /** A job whose source has ended drains by itself; any other job ends at once when its rung is gone or has changed. */
  #endUnwanted(): void {
    const { ladders, registry } = this.#options;
    for (const [id, job] of this.#jobs) {
      const spec = ladders.renditionsFor(job.key.broadcast).find(({ name }) => name === job.key.rendition);
      const unwanted = spec !== job.spec && !isDeepStrictEqual(spec, job.spec);
      const mayTryAgain = job.failed && (job.source.closed || registry.get(outputKey(job.key)) === undefined);
      if (unwanted || mayTryAgain) this.#end(id, job);
    }
  }

  #end(id: string, job: TranscodeJob): void {
    this.#jobs.delete(id);
    const leaving = job.close();
    this.#leaving.add(leaving);
    void leaving.then(() => this.#leaving.delete(leaving));
  }

  #start({ key, spec, factory, source }: Wanted): void {
    const id = formatJobKey(key);
    if (this.#jobs.has(id)) return;
    const { clock, registry, backoff = TRANSCODE_BACKOFF } = this.#options;
    const stats = this.#stats.use(key);
    const job = new TranscodeJob({
      ...{ key, spec, factory, source, stats, backoff, clock },
      openOutput: (init) => registry.open(outputKey(key), init),
      logger: this.#options.logger.child(key),
    });
    this.#jobs.set(id, job);
    const withdraw = registry.announce(key.broadcast);
    void job.done.then(() => {
      withdraw();
      stats.endReason = job.endReason;
      if (this.#jobs.get(id) !== job || job.failed) return;
      this.#jobs.delete(id);
      this.#reconcile();
    });
  }

  async #closeJobs(): Promise<void> {
    for (const [id, job] of this.#jobs) this.#end(id, job);
    await Promise.all(this.#leaving);
  }
}
