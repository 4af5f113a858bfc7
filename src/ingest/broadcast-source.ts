import type { BroadcasterRegistry } from '../broadcast/registry.ts';
import type { Clock } from '../util/clock.ts';
import { AppError } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import { LivePublication, PUBLICATION_LIMITS } from './live-publication.ts';
import type { Publication, PublicationStats, PublishRequest } from './publication.ts';
import { SourceTracks } from './source-tracks.ts';
import { type SlateEncoder, StandIn } from './stand-in.ts';

/** What a broadcast does without its publisher. */
export interface ContinuitySettings {
  /** How long it waits for one to come back, ms; 0: it ends at once. */
  readonly graceMs: number;
  /** Whether a still picture and silence go on meanwhile; a text is the absolute path of the picture. */
  readonly slate: boolean | string;
}

/** When the slate takes over, in ms after the last frame. */
export const SLATE_AFTER_MS = Object.freeze({
  /** The publisher has gone. */
  gone: 1_000,
  /** The publisher is connected and silent; doubled, up to the limit, each time that it goes on after all. */
  silent: 2_500,
  silentLimit: 40_000,
});

/** One live publisher, as shown to admins. */
export interface PublisherRow {
  readonly broadcast: string;
  readonly protocol: PublishRequest['protocol'];
  readonly remote: string;
  readonly sinceMs: number;
  readonly stats: PublicationStats;
}

/** One broadcast that waits for its publisher. Wall clock, ms since the Unix epoch. */
export interface WaitingRow {
  readonly broadcast: string;
  readonly sinceMs: number;
  /** When it ends if nobody comes back. */
  readonly untilMs: number;
  /** True if a still picture and silence go on meanwhile. */
  readonly slate: boolean;
}

interface Options {
  readonly broadcast: string;
  readonly registry: BroadcasterRegistry;
  /** First epoch; larger than any that the broadcast had before. */
  readonly firstEpoch: number;
  readonly settings: () => ContinuitySettings;
  readonly slates: SlateEncoder | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called each time that it begins to wait. */
  readonly onWaiting: () => void;
  /** Called once, when its tracks are closed. */
  readonly onEnded: (nextEpoch: number) => void;
}

interface Publisher {
  readonly request: PublishRequest;
  readonly publication: LivePublication;
  readonly sinceMs: number;
}

/**
 * One broadcast's source, from its first publisher to its end. One publisher after the other writes into the same source
 * tracks, each in epochs of its own, and a slate between them; so nothing downstream ends while the broadcast waits.
 */
export class BroadcastSource {
  readonly #options: Options;
  readonly #tracks: SourceTracks;
  readonly #standIn: StandIn | undefined;
  #nextEpoch: number;
  #publisher: Publisher | undefined;
  #waiting: { readonly sinceMs: number; readonly untilMs: number } | undefined;
  /** Wall clock of the newest frame of any publisher. */
  #lastFrameAtMs = Infinity;
  #patienceMs: number = SLATE_AFTER_MS.silent;
  #ended = false;

  constructor(options: Options) {
    const { broadcast, registry, firstEpoch, settings, slates, clock, logger } = options;
    this.#options = options;
    this.#tracks = new SourceTracks(registry, broadcast);
    this.#nextEpoch = firstEpoch;
    if (slates === undefined) return;
    this.#standIn = new StandIn({
      ...{ broadcast, tracks: this.#tracks, encoder: slates, clock, logger },
      slate: () => settings().slate,
      nextEpoch: () => this.#takeEpoch(),
      isWanted: () => this.#isSilent(),
      onAir: () => this.#publisher?.publication.standBy(),
    });
  }

  /** The publisher at present, if there is one. */
  get publisher(): LivePublication | undefined {
    return this.#publisher?.publication;
  }

  /** The row of the present publisher. */
  get publisherRow(): PublisherRow | undefined {
    if (this.#publisher === undefined) return undefined;
    const { request, sinceMs, publication } = this.#publisher;
    const { broadcast, protocol, remote } = request;
    return { broadcast, protocol, remote, sinceMs, stats: publication.stats() };
  }

  /** The row of a broadcast without a publisher. */
  get waitingRow(): WaitingRow | undefined {
    if (this.#waiting === undefined || this.#publisher !== undefined) return undefined;
    return { broadcast: this.#options.broadcast, ...this.#waiting, slate: this.#standIn?.isOnAir === true };
  }

  /** Gives the broadcast to a publisher; the one that has it is cut off. */
  admit(request: PublishRequest): Publication {
    const { broadcast, protocol, remote, disconnect } = request;
    const { clock, logger } = this.#options;
    const older = this.#publisher?.publication;
    const { maxEpochsPerMinute, maxPulledEpochsPerMinute } = PUBLICATION_LIMITS;
    const publication = new LivePublication({
      ...{ broadcast, clock, disconnect, tracks: this.#tracks },
      maxEpochsPerMinute: protocol === 'pull' ? maxPulledEpochsPerMinute : maxEpochsPerMinute,
      nextEpoch: () => this.#takeEpoch(),
      standsBy: this.#standIn?.isOnAir === true,
      onAir: () => this.#goOn(publication),
      onEnd: () => this.#onLeft(publication, request),
    });
    if (older?.hasMedia === true) this.#noteLoss(older);
    this.#publisher = { request, publication, sinceMs: clock.nowMs() };
    this.#patienceMs = SLATE_AFTER_MS.silent;
    older?.cut(new AppError('CONFLICT', `a newer publisher of ${broadcast} took over`));
    logger.info({ broadcast, protocol, remote }, 'publisher admitted');
    return publication;
  }

  /** Looks at the clock: puts the slate on the air, or ends a broadcast that has waited long enough. To be called often. */
  tick(): void {
    if (this.#ended) return;
    const { clock } = this.#options;
    const publication = this.#publisher?.publication;
    if (publication === undefined && clock.nowMs() >= (this.#waiting?.untilMs ?? Infinity)) {
      this.#end();
      return;
    }
    if (this.#isSilent()) this.#standIn?.call();
    else if (publication?.hasMedia === true && this.#standIn?.isOnAir === false) this.#standIn.dismiss();
  }

  /** Ends the broadcast at once, its publisher's connection included. Idempotent. */
  end(reason: AppError): void {
    const publication = this.#publisher?.publication;
    this.#publisher = undefined;
    publication?.cut(reason);
    this.#end();
  }

  /** Ends the broadcast and waits until nothing of it runs. */
  async close(reason: AppError): Promise<void> {
    this.end(reason);
    await this.#standIn?.close();
  }

  #takeEpoch(): number {
    this.#nextEpoch += 1;
    return this.#nextEpoch - 1;
  }

  #isSilent(): boolean {
    const publication = this.#publisher?.publication;
    if (publication?.hasMedia === true) this.#lastFrameAtMs = publication.lastFrameAtMs;
    const patienceMs = publication === undefined ? SLATE_AFTER_MS.gone : this.#patienceMs;
    return !this.#tracks.empty && this.#options.clock.nowMs() - this.#lastFrameAtMs >= patienceMs;
  }

  /** The publisher replaces the slate. */
  #goOn(publication: LivePublication): void {
    if (publication.hasMedia) this.#patienceMs = Math.min(2 * this.#patienceMs, SLATE_AFTER_MS.silentLimit);
    this.#standIn?.dismiss();
  }

  #onLeft(publication: LivePublication, request: PublishRequest): void {
    const { broadcast, protocol, remote } = request;
    const { logger, clock, onWaiting } = this.#options;
    logger.info({ broadcast, protocol, remote, ...publication.stats() }, 'publisher left');
    if (this.#publisher?.publication !== publication) return;
    this.#publisher = undefined;
    if (publication.hasMedia) this.#noteLoss(publication);
    if (this.#tracks.empty || clock.nowMs() >= (this.#waiting?.untilMs ?? -Infinity)) {
      this.#end();
      return;
    }
    this.#standIn?.prepare();
    onWaiting();
  }

  /** A publisher that delivers nothing does not prolong the wait for one that does. */
  #noteLoss(publication: LivePublication): void {
    const sinceMs = this.#options.clock.nowMs();
    this.#lastFrameAtMs = publication.lastFrameAtMs;
    this.#waiting = { sinceMs, untilMs: sinceMs + this.#options.settings().graceMs };
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#waiting = undefined;
    this.#standIn?.dismiss();
    this.#tracks.close();
    this.#options.onEnded(this.#nextEpoch);
  }
}
