import type { BroadcasterRegistry } from '../broadcast/registry.ts';
import type { Clock } from '../util/clock.ts';
import type { Closable } from '../util/closer.ts';
import { AppError } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import { BroadcastSource, type ContinuitySettings, type PublisherRow, type WaitingRow } from './broadcast-source.ts';
import type { LivePublication } from './live-publication.ts';
import type { Publication, PublisherGate, PublishRequest } from './publication.ts';
import type { SlateEncoder } from './stand-in.ts';

/** What a broadcast may be called: `app/name`, safe in URLs, file names and logs. */
const BROADCAST_PATTERN = /^[A-Za-z0-9_-]{1,32}\/[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/;

/** Tells whether a publisher may have a broadcast. */
export interface StreamKeyCheck {
  /** @throws AppError `UNAUTHORIZED` if the key is missing, wrong or expired. */
  authorize(broadcast: string, key: string | undefined): void | Promise<void>;
}

/** Who wins when a second authorised publisher wants the same broadcast. */
export type TakeoverPolicy = 'when-silent' | 'always' | 'never';

/** Settings of the gate. */
export interface PublishersOptions {
  readonly takeover: TakeoverPolicy;
  /** With `when-silent`: how long the publisher must have sent nothing usable before a newer one may take over. */
  readonly silentMs: number;
  readonly maxPublishers: number;
}

interface Dependencies {
  readonly registry: BroadcasterRegistry;
  readonly keys: StreamKeyCheck;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options: PublishersOptions;
  /** What a broadcast does without its publisher; asked whenever one leaves. */
  readonly settings: (broadcast: string) => ContinuitySettings;
  /** Makes slates; without it broadcasts wait without one. */
  readonly slates?: SlateEncoder;
}

/** How many ended broadcasts the gate remembers, so that their epochs go on where they were. */
const MAX_REMEMBERED_EPOCHS = 10_000;
const TICK_MS = 100;

/** The one way in: every protocol's publishers pass here, one a broadcast. Keeps broadcasts whose publisher has gone. */
export class Publishers implements PublisherGate, Closable {
  readonly #deps: Dependencies;
  readonly #sources = new Map<string, BroadcastSource>();
  readonly #nextEpochs = new Map<string, number>();
  readonly #stopTicking: () => void;
  #returns = 0;
  #closed = false;

  constructor(deps: Dependencies) {
    this.#deps = deps;
    this.#stopTicking = deps.clock.every(TICK_MS, () => this.#tick());
  }

  /** How often a publisher has come back to a broadcast that waited for it. */
  get returns(): number {
    return this.#returns;
  }

  /** The way in for the server's own sources: as `publish()`, without a stream key. */
  get trusted(): PublisherGate {
    return { publish: (request) => this.#admit(request, () => undefined) };
  }

  publish(request: PublishRequest): Promise<Publication> {
    return this.#admit(request, () => this.#deps.keys.authorize(request.broadcast, request.key));
  }

  /** Live publishers, oldest first. */
  list(): PublisherRow[] {
    return this.#rows((source) => source.publisherRow);
  }

  /** Broadcasts that wait for their publisher, oldest first. */
  waiting(): WaitingRow[] {
    return this.#rows((source) => source.waitingRow);
  }

  /** Ends a broadcast at once and cuts its publisher's connection; false if it neither is live nor waits. */
  kick(broadcast: string): boolean {
    const source = this.#sources.get(broadcast);
    source?.end(new AppError('GONE', `broadcast ${broadcast} was ended by an admin`));
    return source !== undefined;
  }

  /** Ends what one of the server's own sources publishes, or published; leaves a broadcast alone that somebody else has. */
  endPulled(broadcast: string): void {
    const source = this.#sources.get(broadcast);
    if ((source?.publisherRow?.protocol ?? 'pull') !== 'pull') return;
    source?.end(new AppError('GONE', `the source of ${broadcast} has ended`));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopTicking();
    const reason = new AppError('UNAVAILABLE', 'the server is shutting down');
    await Promise.all([...this.#sources.values()].map((source) => source.close(reason)));
  }

  async #admit(request: PublishRequest, authorize: () => unknown): Promise<Publication> {
    const { broadcast } = request;
    if (!BROADCAST_PATTERN.test(broadcast)) {
      throw new AppError(
        'BAD_REQUEST',
        `broadcast name ${JSON.stringify(broadcast.slice(0, 100))} is not usable; use app/name with letters, digits, "-", "_" and "."`,
      );
    }
    await authorize();
    if (this.#closed) throw new AppError('UNAVAILABLE', 'the server is shutting down');
    const source = this.#sources.get(broadcast);
    if (source?.publisher === undefined) this.#checkLimit();
    else this.#checkTakeover(broadcast, source.publisher);
    if (source !== undefined && source.publisher === undefined) this.#returns += 1;
    return (source ?? this.#open(broadcast)).admit(request);
  }

  #rows<T extends { readonly sinceMs: number }>(row: (source: BroadcastSource) => T | undefined): T[] {
    const rows = [...this.#sources.values()].flatMap((source) => row(source) ?? []);
    return rows.sort((a, b) => a.sinceMs - b.sinceMs);
  }

  #tick(): void {
    for (const source of [...this.#sources.values()]) source.tick();
  }

  #checkLimit(): void {
    const { maxPublishers } = this.#deps.options;
    const live = [...this.#sources.values()].filter(({ publisher }) => publisher !== undefined).length;
    if (live < maxPublishers) return;
    throw new AppError('LIMIT_REACHED', `${live} publishers are live, which is the limit; end one first`);
  }

  #checkTakeover(broadcast: string, older: LivePublication): void {
    const { options, clock, logger } = this.#deps;
    const silentMs = clock.nowMs() - older.lastFrameAtMs;
    const wins = options.takeover === 'always' || (options.takeover === 'when-silent' && silentMs >= options.silentMs);
    if (!wins) {
      throw new AppError('BUSY', `broadcast ${broadcast} has a publisher already; stop that one or use another name`);
    }
    logger.info({ broadcast, silentMs: Math.round(silentMs) }, 'a newer publisher takes the broadcast over');
  }

  #open(broadcast: string): BroadcastSource {
    const { registry, clock, logger, settings, slates } = this.#deps;
    const source = new BroadcastSource({
      ...{ broadcast, registry, clock, logger, slates },
      firstEpoch: this.#nextEpochs.get(broadcast) ?? 0,
      settings: () => settings(broadcast),
      onWaiting: () => this.#boundWaiting(),
      onEnded: (nextEpoch) => {
        this.#sources.delete(broadcast);
        this.#rememberEpoch(broadcast, nextEpoch);
      },
    });
    this.#sources.set(broadcast, source);
    return source;
  }

  /** As many broadcasts may wait as publishers may be live; the one that has waited longest ends for another. */
  #boundWaiting(): void {
    const { maxPublishers } = this.#deps.options;
    const rows = this.waiting();
    for (const { broadcast } of rows.slice(0, Math.max(0, rows.length - maxPublishers))) {
      this.#deps.logger.warn({ broadcast, maxPublishers }, 'too many broadcasts wait for their publishers; ended');
      this.#sources.get(broadcast)?.end(new AppError('LIMIT_REACHED', 'too many broadcasts wait'));
    }
  }

  #rememberEpoch(broadcast: string, epoch: number): void {
    this.#nextEpochs.delete(broadcast);
    this.#nextEpochs.set(broadcast, epoch);
    const [oldest] = this.#nextEpochs.keys();
    if (this.#nextEpochs.size > MAX_REMEMBERED_EPOCHS && oldest !== undefined) this.#nextEpochs.delete(oldest);
  }
}
