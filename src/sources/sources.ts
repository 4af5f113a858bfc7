import type { SourceEntry } from '../config/source-entry.ts';
import type { Clock } from '../util/clock.ts';
import { type Closable, Closer } from '../util/closer.ts';
import { deepFreeze } from '../util/deep-freeze.ts';
import { AppError } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import { broadcastOfSource, secretsOf } from './source-address.ts';
import type { SourceEvent } from './source-events.ts';
import { makeRoom, type SourceLimits } from './source-limits.ts';
import type { RunFactory, SourceState } from './source-run.ts';
import { type AddressRules, checkSource } from './source-rules.ts';
import { SourceStore } from './source-store.ts';
import { type SourceView, viewSource } from './source-view.ts';
import { Source } from './source.ts';

interface SourcesOptions<Channel> {
  /** Sources of the configuration. */
  readonly entries: readonly SourceEntry[];
  /** Where those that are added later are kept over restarts. */
  readonly file: string;
  readonly limits: SourceLimits & {
    /** How many may be registered. */
    readonly maxSources: number;
    /** How long a source on demand goes on without being used, ms. */
    readonly idleMs: number;
  };
  readonly rules: AddressRules;
  /** Told of what must not be seen in logs; what it returns is called when the source is gone. */
  readonly hide?: (...secrets: string[]) => () => void;
  readonly factory: RunFactory<Channel>;
  /** Ends a broadcast at once, if it is there: nobody waits for its source to come back. */
  readonly endBroadcast: (broadcast: string) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What all sources together did. */
export interface SourcesFigures {
  readonly states: Readonly<Record<SourceState, number>>;
  readonly failovers: number;
}

type Listener = (event: SourceEvent) => void;

/** Sources that are always on begin one after the other: each asks its upstream at once. */
const STAGGER_MS = 100;
const SWEEP_MS = 1_000;

/** All registered sources: those of the configuration, and those added at runtime, which survive a restart. */
export class Sources<Channel> implements Closable {
  readonly #options: SourcesOptions<Channel>;
  readonly #store: SourceStore;
  readonly #sources = new Map<string, Source<Channel>>();
  readonly #byBroadcast = new Map<string, Source<Channel>>();
  /** Ends that the secrets of a source are kept out of logs. */
  readonly #reveals = new Map<string, (() => void) | undefined>();
  readonly #listeners = new Set<Listener>();
  readonly #closer = new Closer();
  readonly #stop = new AbortController();
  #failovers = 0;
  #lastChange: Promise<unknown> = Promise.resolve();

  private constructor(options: SourcesOptions<Channel>, store: SourceStore) {
    this.#options = options;
    this.#store = store;
    this.#closer.add(options.clock.every(SWEEP_MS, () => this.#sweep()));
    this.#closer.add(() => this.#stopAll());
    this.#closer.add(() => this.#stop.abort());
  }

  /**
   * Registers what is configured and what was saved, and begins to start what is always on.
   * @throws AppError `BAD_CONFIG` for a configured source that cannot be one, or a file that cannot be read
   */
  static async open<Channel>(options: SourcesOptions<Channel>): Promise<Sources<Channel>> {
    const store = new SourceStore(options);
    const sources = new Sources(options, store);
    for (const entry of options.entries) sources.#configured(entry);
    for (const entry of await store.load()) {
      if (!sources.#sources.has(entry.name)) sources.#register(entry, 'api');
      else options.logger.warn({ source: entry.name }, 'source of the configuration takes the place of a saved one');
    }
    void sources.#startAll();
    return sources;
  }

  /** All of them, in the order in which they were registered. */
  list(): SourceView[] {
    return [...this.#sources.values()].map(viewSource);
  }

  /** @throws AppError `NOT_FOUND` */
  view(name: string): SourceView {
    return viewSource(this.#find(name));
  }

  /**
   * Registers a source, saves that, and starts it if it is always on.
   * @throws AppError `BAD_REQUEST` or `FORBIDDEN` for what cannot or may not be a source, `CONFLICT` for a name that is taken,
   * `LIMIT_REACHED`, `UNAVAILABLE` if it cannot be saved; nothing has changed then
   */
  add(entry: SourceEntry): Promise<SourceView> {
    return this.#inTurn(async () => {
      this.#checkOpen();
      checkSource(entry, this.#options.rules);
      const { name, onDemand = false } = entry;
      if (this.#sources.has(name)) {
        throw new AppError('CONFLICT', `there is a source "${name}" already; delete it first or choose another name`);
      }
      const { maxSources } = this.#options.limits;
      if (this.#sources.size >= maxSources) {
        const message = `${this.#sources.size} sources are registered already, and ${maxSources} may be (pull.maxSources)`;
        throw new AppError('LIMIT_REACHED', `${message}; delete one of them`);
      }
      // Whether there is room has to be known before it is saved; it is made when it starts.
      if (!onDemand) this.#room(entry);
      const kept = deepFreeze(structuredClone(entry));
      await this.#store.save([...this.#saved(), kept]);
      const source = this.#register(kept, 'api');
      // The server may have begun to shut down while it was saved.
      if (!onDemand && !this.#closer.closed) source.start();
      return viewSource(source);
    });
  }

  /**
   * Forgets a source, and ends what runs of it.
   * @throws AppError `NOT_FOUND`, `CONFLICT` for one of the configuration, `UNAVAILABLE` if it cannot be saved
   */
  remove(name: string): Promise<void> {
    return this.#inTurn(async () => {
      const source = this.#find(name);
      if (source.from === 'config') {
        throw new AppError('CONFLICT', `source "${name}" is in the configuration; remove it there and restart`);
      }
      await this.#store.save(this.#saved().filter((entry) => entry.name !== name));
      this.#sources.delete(name);
      this.#byBroadcast.delete(source.broadcast);
      await source.stop('it was deleted');
      this.#reveals.get(name)?.();
      this.#reveals.delete(name);
      this.#tell({ type: 'source-removed', source: name });
    });
  }

  /**
   * Notes that somebody asks for a broadcast. True if it has to be waited for with `demand()`: it belongs to a source on
   * demand that has nothing to play yet, or to a film.
   */
  use(broadcast: string): boolean {
    const source = this.#byBroadcast.get(broadcast);
    if (source === undefined) return false;
    return source.film !== undefined || (source.onDemand && !source.use());
  }

  /**
   * Starts the source of a broadcast if need be, and resolves when there is something to play: with the path of the playlist
   * to go to if it is a film.
   * @throws AppError `NOT_FOUND`, `LIMIT_REACHED`, `UNAVAILABLE` that says what is in the way, `GONE` when `signal` aborts
   */
  async demand(broadcast: string, signal: AbortSignal): Promise<string | undefined> {
    const source = this.#byBroadcast.get(broadcast);
    if (source === undefined) throw new AppError('NOT_FOUND', `there is no source of ${JSON.stringify(broadcast)}`);
    this.#checkOpen();
    await source.whenReady(signal);
    return source.film?.playlist;
  }

  /**
   * The channel of a relay; starts it if need be.
   * @throws AppError `NOT_FOUND` for a name that no relay has; otherwise as `demand`
   */
  async relay(name: string, signal: AbortSignal): Promise<Channel> {
    const source = this.#sources.get(name);
    if (source?.entry.mode !== 'relay') {
      throw new AppError('NOT_FOUND', `there is no relay ${JSON.stringify(name.slice(0, 100))}`);
    }
    this.#checkOpen();
    await source.whenReady(signal);
    if (source.channel === undefined) throw new AppError('UNAVAILABLE', `source "${name}" is being stopped; ask again`);
    return source.channel;
  }

  /** Calls `listener` at once with what is, and later with what happens. Returns what ends that. */
  listen(listener: Listener): () => void {
    for (const { name, state } of this.#sources.values()) listener({ type: `source-${state}`, source: name });
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Figures for metrics. */
  figures(): SourcesFigures {
    const states = { idle: 0, starting: 0, live: 0, waiting: 0, ended: 0, failed: 0, film: 0 };
    for (const { state } of this.#sources.values()) states[state] += 1;
    return { states, failovers: this.#failovers };
  }

  /** Ends all that runs. */
  close(): Promise<void> {
    return this.#closer.close();
  }

  #find(name: string): Source<Channel> {
    const source = this.#sources.get(name);
    if (source === undefined)
      throw new AppError('NOT_FOUND', `there is no source ${JSON.stringify(name.slice(0, 100))}`);
    return source;
  }

  /** Nothing may begin any more once all has been stopped. */
  #checkOpen(): void {
    if (this.#closer.closed) throw new AppError('UNAVAILABLE', 'the server is shutting down');
  }

  #saved(): SourceEntry[] {
    return [...this.#sources.values()].filter(({ from }) => from === 'api').map(({ entry }) => entry);
  }

  #configured(entry: SourceEntry): void {
    try {
      checkSource(entry, this.#options.rules);
    } catch (error) {
      throw error instanceof AppError ? new AppError('BAD_CONFIG', `configuration: ${error.message}`) : error;
    }
    if (this.#sources.has(entry.name)) {
      throw new AppError('BAD_CONFIG', `configuration: there are two sources "${entry.name}"`);
    }
    this.#register(entry, 'config');
  }

  #register(entry: SourceEntry, from: 'config' | 'api'): Source<Channel> {
    const { factory, endBroadcast, clock, logger, rules, hide } = this.#options;
    this.#reveals.set(entry.name, hide?.(...secretsOf(entry)));
    const source = new Source<Channel>({
      ...{ entry, from, factory, endBroadcast, clock, logger },
      admit: () => {
        // What was allowed when it was saved may no longer be.
        checkSource(entry, rules);
        for (const other of this.#room(entry))
          void other.stop(`source "${entry.name}" of the same user took its place`);
      },
      onEvent: (event) => this.#tell(event),
    });
    this.#sources.set(entry.name, source);
    if (entry.mode === 'ladder') this.#byBroadcast.set(broadcastOfSource(entry.name), source);
    this.#tell({ type: 'source-added', source: entry.name });
    return source;
  }

  /** Which sources have to stop so that this one may run. @throws AppError `LIMIT_REACHED` */
  #room({ name, user }: SourceEntry): Source<Channel>[] {
    const active = [...this.#sources.values()].filter((source) => source.isActive && source.name !== name);
    return makeRoom(active, { name, user }, this.#options.limits);
  }

  async #startAll(): Promise<void> {
    for (const source of [...this.#sources.values()]) {
      if (source.onDemand) continue;
      if (this.#stop.signal.aborted) return;
      if (this.#sources.get(source.name) === source) source.start();
      await this.#options.clock.wait(STAGGER_MS, this.#stop.signal);
    }
  }

  #sweep(): void {
    const { idleMs } = this.#options.limits;
    for (const source of this.#sources.values()) {
      if (source.isUnused(idleMs)) void source.stop(`nobody used it for ${Math.round(idleMs / 1000)} s`);
    }
  }

  #tell(event: SourceEvent): void {
    if (event.type === 'source-failover') this.#failovers += 1;
    for (const listener of this.#listeners) listener(event);
  }

  /** Changes wait for one another, so that each sees the one before and the file never goes back. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#lastChange.then(change);
    this.#lastChange = turn.catch(() => undefined);
    return turn;
  }

  async #stopAll(): Promise<void> {
    await Promise.all([...this.#sources.values()].map((source) => source.stop('the server is shutting down')));
  }
}
