import type { BroadcasterRegistry } from '../broadcast/registry.ts';
import type { Clock } from '../util/clock.ts';
import type { Closable } from '../util/closer.ts';
import { AppError } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import { LivePublication } from './live-publication.ts';
import type { Publication, PublicationStats, PublisherGate, PublishRequest } from './publication.ts';
import { SourceTracks } from './source-tracks.ts';

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

/** One live publisher, as shown to admins. */
export interface PublisherRow {
  readonly broadcast: string;
  readonly protocol: PublishRequest['protocol'];
  readonly remote: string;
  readonly sinceMs: number;
  readonly stats: PublicationStats;
}

interface Dependencies {
  readonly registry: BroadcasterRegistry;
  readonly keys: StreamKeyCheck;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options: PublishersOptions;
}

interface Entry {
  readonly request: PublishRequest;
  readonly publication: LivePublication;
  readonly sinceMs: number;
}

/** How many ended broadcasts the gate remembers, so that their epochs go on where they were. */
const MAX_REMEMBERED_EPOCHS = 10_000;

/** The one way in: every protocol's publishers pass here, one a broadcast. */
export class Publishers implements PublisherGate, Closable {
  readonly #deps: Dependencies;
  readonly #active = new Map<string, Entry>();
  readonly #nextEpochs = new Map<string, number>();
  #closed = false;

  constructor(deps: Dependencies) {
    this.#deps = deps;
  }

  async publish(request: PublishRequest): Promise<Publication> {
    const { broadcast } = request;
    if (!BROADCAST_PATTERN.test(broadcast)) {
      throw new AppError(
        'BAD_REQUEST',
        `broadcast name ${JSON.stringify(broadcast.slice(0, 100))} is not usable; use app/name with letters, digits, "-", "_" and "."`,
      );
    }
    await this.#deps.keys.authorize(broadcast, request.key);
    return this.#admit(request, this.#makeRoom(broadcast));
  }

  /** Live publishers, oldest first. */
  list(): PublisherRow[] {
    return [...this.#active.values()].map(({ request, publication, sinceMs }) => ({
      broadcast: request.broadcast,
      protocol: request.protocol,
      remote: request.remote,
      sinceMs,
      stats: publication.stats(),
    }));
  }

  /** Ends a broadcast and cuts its publisher's connection; false if it is not live. */
  kick(broadcast: string): boolean {
    const entry = this.#active.get(broadcast);
    entry?.publication.cut(new AppError('GONE', `broadcast ${broadcast} was ended by an admin`));
    return entry !== undefined;
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const { publication } of [...this.#active.values()]) {
      publication.cut(new AppError('UNAVAILABLE', 'the server is shutting down'));
    }
    return Promise.resolve();
  }

  /** Checks the limits and the takeover policy, and gives the source tracks: those of the older publisher if it has to go. */
  #makeRoom(broadcast: string): SourceTracks {
    if (this.#closed) throw new AppError('UNAVAILABLE', 'the server is shutting down');
    const { options, clock, logger, registry } = this.#deps;
    const older = this.#active.get(broadcast)?.publication;
    if (older === undefined) {
      if (this.#active.size < options.maxPublishers) return new SourceTracks(registry, broadcast);
      throw new AppError(
        'LIMIT_REACHED',
        `${this.#active.size} publishers are live, which is the limit; end one first`,
      );
    }
    const silentMs = clock.nowMs() - older.lastFrameAtMs;
    const wins = options.takeover === 'always' || (options.takeover === 'when-silent' && silentMs >= options.silentMs);
    if (!wins) {
      throw new AppError('BUSY', `broadcast ${broadcast} has a publisher already; stop that one or use another name`);
    }
    logger.info({ broadcast, silentMs: Math.round(silentMs) }, 'a newer publisher takes the broadcast over');
    return older.handOver(new AppError('CONFLICT', `a newer publisher of ${broadcast} took over`));
  }

  #admit(request: PublishRequest, tracks: SourceTracks): Publication {
    const { broadcast, protocol, remote, disconnect } = request;
    const { clock, logger } = this.#deps;
    const sinceMs = clock.nowMs();
    const publication = new LivePublication({
      broadcast,
      tracks,
      clock,
      disconnect,
      firstEpoch: this.#nextEpochs.get(broadcast) ?? 0,
      onEnd: (lastEpoch) => {
        this.#active.delete(broadcast);
        this.#rememberEpoch(broadcast, lastEpoch + 1);
        logger.info({ broadcast, protocol, remote, ...publication.stats() }, 'publisher left');
      },
    });
    this.#active.set(broadcast, { request, publication, sinceMs });
    logger.info({ broadcast, protocol, remote }, 'publisher admitted');
    return publication;
  }

  #rememberEpoch(broadcast: string, epoch: number): void {
    this.#nextEpochs.delete(broadcast);
    this.#nextEpochs.set(broadcast, epoch);
    const [oldest] = this.#nextEpochs.keys();
    if (this.#nextEpochs.size > MAX_REMEMBERED_EPOCHS && oldest !== undefined) this.#nextEpochs.delete(oldest);
  }
}
