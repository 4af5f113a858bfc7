import type { SourceEntry } from '../config/source-entry.ts';
import { untilAborted } from '../util/abort.ts';
import { Backoff } from '../util/backoff.ts';
import type { Clock } from '../util/clock.ts';
import { type Deferred, deferred } from '../util/deferred.ts';
import { AppError } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import { broadcastOfSource } from './source-address.ts';
import type { SourceEvent } from './source-events.ts';
import type { ActiveSource } from './source-limits.ts';
import { type SourceFault, SourceReport } from './source-report.ts';
import type { FilmPaths, RelayRun, RunFactory, RunStatus, SourceRun, SourceState } from './source-run.ts';

interface SourceOptions<Channel> {
  readonly entry: SourceEntry;
  readonly from: 'config' | 'api';
  readonly factory: RunFactory<Channel>;
  /** Makes room for it among those that run. @throws AppError `LIMIT_REACHED` */
  readonly admit: () => void;
  /** Ends the broadcast of a ladder source at once, if it is there. */
  readonly endBroadcast: (broadcast: string) => void;
  readonly onEvent: (event: SourceEvent) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** From its start until it is stopped, or has nothing more to do. */
interface Life<Channel> {
  readonly stop: AbortController;
  readonly startedAtMs: number;
  run: SourceRun | RelayRun<Channel> | undefined;
  /** Resolves when the next run, or the one at present, is there. */
  running: Deferred<SourceRun>;
  /** Whether it only looks if a source that had ended is live again. */
  isProbe: boolean;
  /** Shared by all who wait for something to play. */
  readiness: Promise<void> | undefined;
  isReady: boolean;
  /** When the next run begins, while there is none. */
  nextAtMs: number | undefined;
  /** Ends those waits when it is over. */
  readonly outcome: Deferred<void>;
  /** Resolves when it is over. */
  over: Promise<void>;
}

/** How long somebody waits for something to play. */
const READY_MS = 15_000;
/** After a failed start, those who ask are told of it for this long before another start is made for them. */
const FAILED_FOR_MS = 3_000;
/** A source that has come to its end is left alone for this long. */
const ENDED_FOR_MS = 30_000;
/** A film's session may have ended after that. */
const FILM_FOR_MS = 60_000;
/** A run may end before it had something to play, and the next one may have it. */
const LOOK_AGAIN_MS = 200;
const RESTARTS = Object.freeze({ firstMs: 1_000, maxMs: 60_000, resetAfterMs: 60_000 });

/** One registered source: starts its runs, starts them again, and stops them. */
export class Source<Channel> implements ActiveSource {
  readonly entry: SourceEntry;
  readonly from: 'config' | 'api';
  /** `app/name` of what it becomes in ladder mode. */
  readonly broadcast: string;
  readonly #options: SourceOptions<Channel>;
  readonly #report: SourceReport;
  #life: Life<Channel> | undefined;
  #isActive = false;
  #film: FilmPaths | undefined;
  #stopping: Promise<void> = Promise.resolve();
  #lastUseMs = -Infinity;
  #waiting = 0;

  constructor(options: SourceOptions<Channel>) {
    const { entry, from } = options;
    this.#options = options;
    this.entry = entry;
    this.from = from;
    this.broadcast = broadcastOfSource(entry.name);
    this.#report = new SourceReport({ ...options, name: entry.name });
  }

  get name(): string {
    return this.entry.name;
  }

  get user(): string | undefined {
    return this.entry.user;
  }

  get onDemand(): boolean {
    return this.entry.onDemand === true;
  }

  /** When it was started last. */
  get startedAtMs(): number {
    return this.#life?.startedAtMs ?? 0;
  }

  /** Whether it counts as running. */
  get isActive(): boolean {
    return this.#isActive;
  }

  get state(): SourceState {
    return this.#report.state;
  }

  /** When the state began. */
  get sinceMs(): number {
    return this.#report.sinceMs;
  }

  /** What went wrong last. */
  get fault(): SourceFault | undefined {
    return this.#report.fault;
  }

  /** What the run at present tells. */
  get status(): RunStatus | undefined {
    return this.#life?.run?.status();
  }

  get viewers(): number {
    return this.#life?.run?.viewers() ?? 0;
  }

  get failovers(): number {
    return this.#report.failovers(this.status);
  }

  /** Totals of all runs. */
  get counters(): Record<string, number> {
    return this.#report.counters(this.status);
  }

  /** Where it plays if it is a film. */
  get film(): FilmPaths | undefined {
    return this.state === 'film' ? this.#film : undefined;
  }

  /** The channel of a relay that runs. */
  get channel(): Channel | undefined {
    const run = this.#life?.run;
    return run !== undefined && 'channel' in run ? run.channel : undefined;
  }

  /** Notes that somebody uses it; tells whether there is something to play right now. */
  use(): boolean {
    this.#lastUseMs = this.#options.clock.nowMs();
    return this.#life?.isReady === true;
  }

  /** Whether it is on demand, runs, and nobody has used it for this long. */
  isUnused(idleMs: number): boolean {
    const sinceMs = Math.max(this.#lastUseMs, this.startedAtMs);
    return this.onDemand && this.#isActive && this.#waiting === 0 && this.#options.clock.nowMs() - sinceMs >= idleMs;
  }

  /** Starts it unless it runs. @throws AppError `LIMIT_REACHED` if it is on demand and there is no room for it */
  start(): void {
    if (this.#life !== undefined) return;
    if (this.onDemand) this.#admit();
    const life: Life<Channel> = {
      stop: new AbortController(),
      startedAtMs: this.#options.clock.nowMs(),
      run: undefined,
      running: deferred(),
      isProbe: false,
      readiness: undefined,
      isReady: false,
      nextAtMs: undefined,
      outcome: deferred(),
      over: Promise.resolve(),
    };
    this.#life = life;
    this.#report.enter('starting');
    life.over = this.#stopping.then(() => this.#live(life));
  }

  /**
   * Starts it if need be, and resolves when there is something to play.
   * @throws AppError `LIMIT_REACHED`, `UNAVAILABLE` that says what is in the way, `GONE` when `signal` aborts
   */
  async whenReady(signal: AbortSignal): Promise<void> {
    if (this.use() || this.#isKnownFilm) return;
    this.#checkRecent();
    this.start();
    const life = this.#life;
    if (life === undefined) return;
    this.#waiting += 1;
    try {
      life.readiness ??= this.#becomeReady(life).finally(() => (life.readiness = undefined));
      await untilAborted(life.readiness, signal, () => new AppError('GONE', 'the client has gone'));
    } finally {
      this.#waiting -= 1;
      this.#lastUseMs = this.#options.clock.nowMs();
    }
  }

  /** Ends whatever runs, and the broadcast; it may be started again. Resolves when all of it has ended. */
  stop(reason: string): Promise<void> {
    const life = this.#life;
    if (life === undefined) return this.#stopping;
    const { run } = life;
    const error = new AppError('UNAVAILABLE', `source "${this.name}" was stopped: ${reason}`);
    life.stop.abort(error);
    this.#letGo(life, error);
    this.#options.logger.info({ source: this.name, reason }, 'source is stopped');
    this.#report.enter('idle');
    this.#stopping = (async () => {
      await run?.close();
      await life.over;
      this.#endBroadcast();
    })();
    return this.#stopping;
  }

  get #isKnownFilm(): boolean {
    return this.film !== undefined && this.#options.clock.nowMs() - this.sinceMs < FILM_FOR_MS;
  }

  #admit(): void {
    this.#options.admit();
    this.#isActive = true;
  }

  /** Runs it again and again, until there is nothing more to do. */
  async #live(life: Life<Channel>): Promise<void> {
    const { clock } = this.#options;
    const backoff = new Backoff(RESTARTS);
    while (this.#life === life) {
      const beganAtMs = clock.nowMs();
      const end = await this.#runOnce(life);
      if (this.#life !== life) return;
      if (end === 'film' || (this.onDemand && (end === 'ended' || !life.isReady))) {
        this.#finish(life);
        return;
      }
      life.isReady = false;
      life.isProbe ||= end === 'ended';
      if (end === 'ended') {
        this.#isActive = false;
        this.#endBroadcast();
      }
      const pauseMs = end === 'ended' ? RESTARTS.maxMs : backoff.nextDelayMs(clock.nowMs() - beganAtMs);
      life.nextAtMs = clock.nowMs() + pauseMs;
      await clock.wait(pauseMs, life.stop.signal);
      life.nextAtMs = undefined;
    }
  }

  /** Answers how it ended. */
  async #runOnce(life: Life<Channel>): Promise<SourceState> {
    const { factory } = this.#options;
    try {
      if (!this.onDemand) this.#admit();
      this.#report.started();
      const request = {
        ...{ entry: this.entry, broadcast: this.broadcast, liveOnly: life.isProbe },
        onChange: () => this.#see(life),
      };
      const run = this.entry.mode === 'ladder' ? factory.ladder(request) : factory.relay(request);
      life.run = run;
      life.running.resolve(run);
      this.#see(life);
      await run.done;
      this.#see(life);
      const status = run.status();
      await run.close();
      if (this.#life === life) this.#report.keep(status);
      life.run = undefined;
      life.running = deferred();
      this.#film = status.film;
      return status.state;
    } catch (error) {
      if (this.#life === life) this.#report.fail(error);
      return 'failed';
    }
  }

  /** A source on demand that has ended or cannot be played, or a film, waits for the next who asks. */
  #finish(life: Life<Channel>): void {
    this.#letGo(life, this.state === 'film' ? undefined : this.#nothingToPlay());
    this.#endBroadcast();
  }

  #letGo(life: Life<Channel>, error: AppError | undefined): void {
    this.#report.keep(life.run?.status());
    life.run = undefined;
    this.#life = undefined;
    this.#isActive = false;
    if (error === undefined) life.outcome.resolve();
    else life.outcome.reject(error);
  }

  #endBroadcast(): void {
    if (this.entry.mode === 'ladder') this.#options.endBroadcast(this.broadcast);
  }

  #see(life: Life<Channel>): void {
    if (this.#life !== life || life.run === undefined) return;
    const status = life.run.status();
    if (life.isProbe && status.state === 'starting') return;
    if (status.state === 'live') life.isProbe = false;
    this.#report.see(status);
  }

  async #becomeReady(life: Life<Channel>): Promise<void> {
    const over = new AbortController();
    const late = this.#options.clock.wait(READY_MS, over.signal).then((): never => {
      throw this.#nothingToPlay();
    });
    late.catch(() => undefined);
    try {
      await Promise.race([this.#playable(life, over.signal), life.outcome.promise, late]);
      life.isReady = true;
    } finally {
      over.abort();
    }
  }

  async #playable(life: Life<Channel>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const run = await life.running.promise;
      const isPlayable = await run.ready(signal).then(
        () => true,
        () => false,
      );
      if (isPlayable) return;
      await this.#options.clock.wait(LOOK_AGAIN_MS, signal);
    }
  }

  /** Those who ask again and again must not start it again and again, nor wait for a start that comes too late for them. */
  #checkRecent(): void {
    if (this.#life !== undefined) {
      const { nextAtMs = -Infinity } = this.#life;
      if (nextAtMs - this.#options.clock.nowMs() >= READY_MS) throw this.#nothingToPlay();
      return;
    }
    const agoMs = this.#options.clock.nowMs() - this.sinceMs;
    const aloneForMs = { failed: FAILED_FOR_MS, ended: ENDED_FOR_MS }[this.state as string] ?? 0;
    if (agoMs < aloneForMs) throw this.#nothingToPlay();
  }

  /** For viewers: where a source is, and whose, is not for them. */
  #nothingToPlay(): AppError {
    const advice = `ask again later; GET /api/v1/sources/${this.name} tells admins why`;
    return new AppError(
      'UNAVAILABLE',
      `source "${this.name}" has nothing to play at present (${this.state}); ${advice}`,
    );
  }
}
