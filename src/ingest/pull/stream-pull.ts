import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import type { Clock } from '../../util/clock.ts';
import { deferred } from '../../util/deferred.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { UpstreamAddress } from '../../upstream/follow/url-rotation.ts';
import type { DemuxedFrame } from '../fmp4-demuxer.ts';
import type { Publication, PublisherGate } from '../publication.ts';
import { LiveBacklog } from './live-backlog.ts';
import { Pacer } from './pacer.ts';
import type { Puller, PullStatus } from './puller.ts';
import type { SpliceLane } from './splice-lane.ts';
import { Splicer } from './splicer.ts';
import type { OpenStream, StreamFeed } from './stream-feed.ts';
import { TsStream } from './ts-stream.ts';

/** Patience with a continuous stream, ms. */
export const STREAM_LIMITS = Object.freeze({
  /** Without a byte for so long, the connection is given up. */
  silenceMs: 10_000,
  /** With bytes but without a frame for so long, too. */
  uselessMs: 20_000,
  /** A connection that has given frames for so long was a success. */
  successMs: 10_000,
  /** Without a frame for so long the broadcast is left to wait or end as if its publisher had gone. */
  outageMs: 30_000,
});

/** Who reports failures to the rotation. */
const REPORTER = 'stream';

/** What a pull of a continuous stream is made with. */
export interface StreamPullOptions {
  readonly feed: StreamFeed;
  /** Grants publications without a key: `Publishers.trusted`. */
  readonly gate: PublisherGate;
  /** `app/name` of what it becomes. */
  readonly broadcast: string;
  readonly binary: FfmpegBinary;
  /** Media that may leave at once at the start, ms: about one segment. */
  readonly burstMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called whenever `status()` tells another state, address or error. */
  readonly onChange: () => void;
}

/**
 * Publishes a continuous transport stream: one connection at a time, taken up again when it breaks or falls silent, at the
 * next address when that does not help. What comes faster than real time leaves in real time; who sends is slowed down.
 */
export class StreamPull implements Puller {
  readonly done: Promise<void>;
  readonly #options: StreamPullOptions;
  readonly #closing = new AbortController();
  readonly #pacer: Pacer;
  readonly #splicer: Splicer;
  readonly #lane: SpliceLane;
  #publication: Publication | undefined;
  #state: PullStatus['state'] = 'starting';
  #lastError: string | undefined;
  #lastFrameAtMs: number;
  #told = '';
  readonly #counters = { connections: 0, bytes: 0, frames: 0, stretches: 0, skippedMs: 0 };

  /** It runs from here on. */
  constructor(options: StreamPullOptions) {
    const { clock, burstMs } = options;
    this.#options = options;
    this.#lastFrameAtMs = clock.nowMs();
    this.#pacer = new Pacer({
      ...{ clock, burstMs },
      sink: {
        frame: (init, frame) => this.#publication?.frame(init, frame),
        discontinuity: () => this.#publication?.discontinuity(),
      },
    });
    this.#splicer = new Splicer({ clock, onFrame: (frame, stretch) => this.#pacer.push(frame, stretch) });
    this.#lane = this.#splicer.lane();
    this.done = this.#run();
  }

  status(): PullStatus {
    const { rotation, label } = this.#options.feed;
    const droppedFrames = this.#splicer.droppedFrames + (this.#publication?.stats().droppedFrames ?? 0);
    return {
      ...{ state: this.#state, address: label, failovers: rotation.failovers, lastError: this.#lastError },
      counters: { ...this.#counters, droppedFrames, underruns: this.#pacer.underruns },
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.done;
  }

  async #run(): Promise<void> {
    try {
      while (!this.#closing.signal.aborted && (await this.#connect()));
    } catch (thrown) {
      // Nothing but a refused publication gets here: trying again would not help.
      if (!this.#closing.signal.aborted) this.#enter('failed', reasonOf(thrown));
    } finally {
      await this.#pacer.close();
      await this.#splicer.close();
      this.#publication?.end();
    }
  }

  /** One connection from its start to its end; true if another one is to be tried after it. */
  async #connect(): Promise<boolean> {
    const { feed, clock, logger, broadcast } = this.#options;
    const address = feed.rotation.current;
    const signal = AbortSignal.any([this.#closing.signal, address.left]);
    const reason = await this.#play(address, signal);
    if (reason === undefined) {
      await this.#pacer.drained(this.#closing.signal);
      this.#enter('ended', undefined);
      return false;
    }
    if (this.#closing.signal.aborted) return false;
    logger.info({ broadcast, address: feed.label, reason }, 'a remote stream was interrupted');
    const waitMs = feed.rotation.failed(address, reason, REPORTER);
    this.#enter('waiting', reason);
    await clock.wait(waitMs, AbortSignal.any([this.#closing.signal, feed.rotation.current.left]));
    if (clock.nowMs() - this.#lastFrameAtMs >= STREAM_LIMITS.outageMs) this.#leaveAir();
    return true;
  }

  /** Reads one connection. Resolves with why it broke, or with nothing if a recording came to its end. */
  async #play(address: UpstreamAddress, signal: AbortSignal): Promise<string | undefined> {
    const { feed, binary, clock, logger, broadcast } = this.#options;
    const ts = new TsStream({
      ...{ binary, clock, logger: logger.child({ broadcast }) },
      outlet: {
        begin: async (kinds) => {
          await this.#goOnAir();
          this.#counters.stretches += 1;
          this.#lane.begin(kinds);
        },
        push: (frames) => this.#take(frames),
      },
    });
    let stream: OpenStream | undefined;
    try {
      stream = await feed.open(signal);
      this.#counters.connections += 1;
      await this.#read(stream, ts, address, signal);
      return stream.isRecording ? undefined : 'the stream ended';
    } catch (thrown) {
      if (thrown instanceof RefusedError) throw thrown.reason;
      return thrown instanceof AppError ? thrown.message : feed.failureOf(thrown);
    } finally {
      await Promise.all([stream?.close(), this.#closing.signal.aborted ? ts.close() : ts.end()]);
      this.#splicer.flush();
    }
  }

  async #read(stream: OpenStream, ts: TsStream, address: UpstreamAddress, signal: AbortSignal): Promise<void> {
    const { clock, feed, logger, broadcast } = this.#options;
    const pieces = stream.pieces()[Symbol.asyncIterator]();
    const startedAtMs = clock.nowMs();
    const backlog = new LiveBacklog(startedAtMs, !stream.isRecording);
    const framesBefore = this.#counters.frames;
    let usefulAtMs = startedAtMs;
    let skippedFromMs: number | undefined;
    let succeeded = false;
    for (;;) {
      const askedAtMs = clock.nowMs();
      const next = await this.#within(pieces.next(), signal);
      if (next.done === true) return;
      const piece = next.value;
      const nowMs = clock.nowMs();
      this.#counters.bytes += piece.length;
      const verdict = backlog.judge(nowMs, nowMs - askedAtMs, ts.mediaMs);
      if (verdict === 'skip') {
        skippedFromMs ??= ts.mediaMs;
        ts.skip(piece);
        continue;
      }
      if (verdict === 'resume') {
        const skippedMs = Math.round(ts.mediaMs - (skippedFromMs ?? ts.mediaMs));
        skippedFromMs = undefined;
        this.#counters.skippedMs += skippedMs;
        logger.info({ broadcast, skippedMs }, 'a remote stream ran ahead: skipped to its live edge');
        ts.resume();
      }
      const framesSoFar = this.#counters.frames;
      await ts.push(piece, signal);
      if (this.#counters.frames > framesSoFar) usefulAtMs = nowMs;
      await this.#pacer.room(signal);
      if (clock.nowMs() - usefulAtMs >= STREAM_LIMITS.uselessMs) throw new AppError('BAD_MEDIA', NOTHING_USEFUL);
      if (!succeeded && this.#counters.frames > framesBefore && nowMs - startedAtMs >= STREAM_LIMITS.successMs) {
        succeeded = true;
        feed.rotation.succeeded(address, REPORTER);
        this.#enter('live', undefined);
      }
    }
  }

  /** Waits for the next piece, but not for ever. */
  async #within<T>(next: Promise<T>, signal: AbortSignal): Promise<T> {
    const { clock } = this.#options;
    const { silenceMs } = STREAM_LIMITS;
    next.catch(() => undefined);
    const over = new AbortController();
    const aborted = deferred<never>();
    const onAbort = (): void => aborted.reject(new AppError('UNAVAILABLE', 'the stream is no longer wanted'));
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      const silence = clock.wait(silenceMs, over.signal).then(() => {
        throw new AppError('UNAVAILABLE', `nothing came for ${silenceMs / 1000} s`);
      });
      silence.catch(() => undefined);
      return await Promise.race([next, silence, aborted.promise]);
    } finally {
      over.abort();
      signal.removeEventListener('abort', onAbort);
    }
  }

  #take(frames: readonly DemuxedFrame[]): void {
    this.#counters.frames += frames.length;
    this.#lastFrameAtMs = this.#options.clock.nowMs();
    this.#lane.push(frames);
    if (this.#state !== 'live') this.#enter('live', this.#lastError);
  }

  async #goOnAir(): Promise<void> {
    if (this.#publication !== undefined) return;
    const { gate, broadcast, feed } = this.#options;
    const disconnect = (reason: AppError): void => {
      this.#enter('failed', reason.message);
      this.#closing.abort();
    };
    const request = { broadcast, key: undefined, protocol: 'pull', remote: feed.label, disconnect } as const;
    try {
      this.#publication = await gate.publish(request);
    } catch (thrown) {
      throw new RefusedError(thrown);
    }
    if (this.#closing.signal.aborted) this.#publication.end();
  }

  #leaveAir(): void {
    this.#publication?.end();
    this.#publication = undefined;
  }

  #enter(state: PullStatus['state'], lastError: string | undefined): void {
    this.#state = state;
    this.#lastError = lastError;
    const told = [state, lastError, this.#options.feed.label].join('\n');
    if (told === this.#told) return;
    this.#told = told;
    this.#options.onChange();
  }
}

const NOTHING_USEFUL = `no frame that can be used came for ${STREAM_LIMITS.uselessMs / 1000} s`;

/** Tells that the broadcast cannot be had from what goes wrong with the stream. */
class RefusedError extends Error {
  readonly reason: unknown;

  constructor(reason: unknown) {
    super('the publication was refused');
    this.reason = reason;
  }
}
