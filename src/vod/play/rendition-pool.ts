import { availableParallelism } from 'node:os';
import { type EncodeProfile, profileHash } from '../../cache/encode-profile.ts';
import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import type { Clock } from '../../util/clock.ts';
import type { Closable } from '../../util/closer.ts';
import { AppError } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import { encodeProfile } from '../encode/encode-profile.ts';
import { Head } from '../encode/head.ts';
import { softwareStandIn } from '../plan-renditions.ts';
import { segmentCount, type Title } from '../source/title.ts';
import type { VodRendition } from '../vod-rendition.ts';
import { EncoderSlots } from './encoder-slots.ts';
import type { HeadFactory } from './encoding-head.ts';
import type { PoolCounters, PoolReport } from './pool-report.ts';
import { RenditionEncoder } from './rendition-encoder.ts';
import { type EntryCache, RenditionEntry } from './rendition-entry.ts';
import type { RenditionHandle } from './rendition-handle.ts';
import { Viewer } from './viewer.ts';

interface RenditionPoolOptions {
  readonly cache: EntryCache;
  readonly binary: FfmpegBinary;
  /** Encoders that may run at a time, of all renditions together; 0: as many as there are processors. */
  readonly maxEncoders: number;
  /** How many segments beyond the last one that a viewer asked for are encoded. */
  readonly aheadSegments: number;
  /** How long an encoder that nobody needs stays; default 30 s. */
  readonly idleMs?: number;
  /** What else has to be done before the renditions of a title are complete, e.g. its subtitles; rejects if it cannot be. */
  readonly gate?: (title: Title, signal: AbortSignal) => Promise<unknown>;
  /** Called when a local source turns out to end before a segment, earlier than it says. */
  readonly onShortened?: (title: Title, endIndex: number) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: `Head`. */
  readonly createHead?: HeadFactory;
}

const IDLE_MS = 30_000;
const SWEEP_MS = 1_000;

/**
 * Every rendition of every title that somebody plays. Viewers of the same rendition share its encoders; all renditions
 * share a bounded number of them. What is encoded goes into the cache, and comes from there the next time.
 */
export class RenditionPool implements Closable {
  readonly #options: RenditionPoolOptions;
  readonly #slots: EncoderSlots;
  readonly #encoders = new Map<string, RenditionEncoder>();
  readonly #ending = new Map<string, Promise<void>>();
  readonly #counters: PoolCounters = { headsStarted: 0, headsFailed: 0, segmentsEncoded: 0, hits: 0 };
  readonly #stopSweeping: () => void;
  #closed: Promise<void> | undefined;

  constructor(options: RenditionPoolOptions) {
    this.#options = options;
    const max = options.maxEncoders === 0 ? availableParallelism() : options.maxEncoders;
    this.#slots = new EncoderSlots({ max }, options.clock);
    this.#stopSweeping = options.clock.every(SWEEP_MS, () => this.#sweep());
  }

  /**
   * Lets somebody play a rendition; costs nothing until something is asked for.
   * @param startAt the segment that will probably be asked for first; default 0
   * @throws AppError `UNAVAILABLE` after `close()`
   */
  open(title: Title, rendition: VodRendition, { startAt = 0 }: { startAt?: number } = {}): RenditionHandle {
    if (this.#closed !== undefined) throw new AppError('UNAVAILABLE', 'the server is shutting down');
    return new Viewer({
      encoder: this.#encoder(title, rendition),
      startAt,
      standIn: () => {
        const standIn = softwareStandIn(rendition);
        return standIn === undefined || this.#closed !== undefined ? undefined : this.#encoder(title, standIn);
      },
    });
  }

  report(): PoolReport {
    const encoders = [...this.#encoders.values()];
    return {
      ...this.#counters,
      running: this.#slots.running,
      maxEncoders: this.#slots.max,
      waiting: this.#slots.waiting,
      wanted: encoders.reduce((sum, { wanted }) => sum + wanted, 0),
      heads: encoders.flatMap((encoder) => encoder.report()),
    };
  }

  /** Ends all encoders; what they made stays. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#stopSweeping();
    await Promise.all([...[...this.#encoders.values()].map((encoder) => encoder.close()), ...this.#ending.values()]);
  }

  #encoder(title: Title, rendition: VodRendition): RenditionEncoder {
    const profile = encodeProfile(title, rendition, this.#options.binary);
    const key = profileHash(profile);
    const encoder = this.#encoders.get(key) ?? this.#create(key, profile, title, rendition);
    this.#encoders.set(key, encoder);
    return encoder;
  }

  #create(key: string, profile: EncodeProfile, title: Title, rendition: VodRendition): RenditionEncoder {
    const { cache, binary, createHead, aheadSegments, idleMs = IDLE_MS, clock, logger } = this.#options;
    const { gate = () => Promise.resolve(), onShortened = () => undefined } = this.#options;
    const makeHead: HeadFactory = (request) => new Head({ ...request, binary, logger });
    const entry = new RenditionEntry({
      cache,
      profile,
      segmentCount: segmentCount(title),
      contentType: `${rendition.kind}/mp4`,
      after: this.#ending.get(key),
      logger,
    });
    return new RenditionEncoder({
      title,
      rendition,
      entry,
      slots: this.#slots,
      createHead: createHead ?? makeHead,
      counters: this.#counters,
      aheadSegments,
      idleMs,
      gate,
      onShortened,
      clock,
      logger,
    });
  }

  #sweep(): void {
    this.#slots.sweep();
    for (const [key, encoder] of this.#encoders) {
      encoder.sweep();
      if (!encoder.isUnusedFor(this.#options.idleMs ?? IDLE_MS)) continue;
      this.#encoders.delete(key);
      const ended = encoder.close().finally(() => this.#ending.delete(key));
      this.#ending.set(key, ended);
    }
  }
}
