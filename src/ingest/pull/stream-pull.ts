import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import type { UpstreamAddress } from '../../upstream/follow/url-rotation.ts';
import type { Clock } from '../../util/clock.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { Publication, PublisherGate } from '../publication.ts';
import { LiveBacklog } from './live-backlog.ts';
import { nextPiece } from './next-piece.ts';
import { PullOutput } from './pull-output.ts';
import { PullState } from './pull-state.ts';
import type { Puller, PullStatus } from './puller.ts';
import type { SpliceLane } from './splice-lane.ts';
import type { OpenStream, StreamFeed } from './stream-feed.ts';
import { TsStream } from './ts-stream.ts';

/** Patience with a continuous stream, ms. */
const STREAM_LIMITS = Object.freeze({
  /** Without a byte for so long, the connection is given up. */
  silenceMs: 10_000,
  /** With bytes but without a frame for so long, too. */
  uselessMs: 20_000,
  /** A connection that has given frames for so long was a success. */
  successMs: 10_000,
});

/** Whoever waited so long for room was held up, ms. */
const HELD_MS = 10;

/** Who reports failures to the rotation. */
const REPORTER = 'stream';

/** What a pull of a continuous stream is made with. */
export interface StreamPullOptions {
  /** Closed at the end. */
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
  /** Called whenever the state or the last error has changed. */
  readonly onChange: () => void;
}

/** A connection, and the way of what comes from it. */
interface Connection {
  readonly stream: OpenStream;
  readonly ts: TsStream;
  readonly output: PullOutput;
  readonly lane: SpliceLane;
  readonly address: UpstreamAddress;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Publishes a continuous transport stream: one connection at a time, taken up again when it breaks or falls silent, at the
 * next address when that does not help. What comes faster than real time leaves in real time; who sends is slowed down.
 */
export class StreamPull implements Puller {
  readonly done: Promise<void>;
  readonly #options: StreamPullOptions;
  readonly #stop = new AbortController();
  readonly #state: PullState;
  readonly #counters = { connections: 0, bytes: 0, skippedMs: 0 };
  #output: PullOutput | undefined;
  #framesIn = 0;
  #trouble: string | undefined;
  #isClosed = false;

  /** It runs from here on. */
  constructor(options: StreamPullOptions) {
    const { clock, onChange } = options;
    this.#options = options;
    this.#state = new PullState({
      ...{ clock, onChange },
      lastFrameAtMs: () => this.#output?.lastFrameAtMs,
      isFailing: () => this.#trouble !== undefined,
      lastError: () => this.#trouble,
    });
    this.done = this.#run();
  }

  status(): PullStatus {
    const { rotation, label } = this.#options.feed;
    const { state, lastError } = this.#state;
    return {
      ...{ state, address: label, failovers: rotation.failovers, lastError },
      counters: { ...this.#counters, ...this.#output?.counters },
    };
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#stop.abort();
    return this.done;
  }

  async #run(): Promise<void> {
    const { gate, broadcast, feed } = this.#options;
    let failure: string | undefined;
    try {
      const publication = await gate.publish({
        ...{ broadcast, key: undefined, protocol: 'pull', remote: feed.label },
        disconnect: (reason) => this.#stop.abort(reason),
      });
      await this.#publish(publication);
      if (this.#stop.signal.aborted) failure = reasonOf(this.#stop.signal.reason);
    } catch (thrown) {
      failure = reasonOf(thrown);
    }
    await feed.close();
    if (this.#isClosed || failure === undefined) this.#state.end('ended');
    else this.#state.end('failed', failure);
  }

  async #publish(publication: Publication): Promise<void> {
    const { clock, burstMs } = this.#options;
    const { signal } = this.#stop;
    const output = new PullOutput({ publication, clock, burstMs });
    this.#output = output;
    const lane = output.lane();
    try {
      while (!signal.aborted && (await this.#connect(output, lane)));
      await output.drained(signal);
    } finally {
      await output.close();
      publication.end();
    }
  }

  /** One connection from its start to its end; true if another one is to be tried after it. */
  async #connect(output: PullOutput, lane: SpliceLane): Promise<boolean> {
    const { feed, clock, logger, broadcast } = this.#options;
    const { signal } = this.#stop;
    const address = feed.rotation.current;
    const reason = await this.#play(output, lane, address);
    if (reason === undefined || signal.aborted) return false;
    logger.info({ broadcast, address: feed.label, reason }, 'a remote stream was interrupted');
    this.#trouble = reason;
    const waitMs = feed.rotation.failed(address, reason, REPORTER);
    this.#state.look();
    await clock.wait(waitMs, AbortSignal.any([signal, feed.rotation.current.left]));
    return true;
  }

  /** Reads one connection. Resolves with why it broke, or with nothing if a recording came to its end. */
  async #play(output: PullOutput, lane: SpliceLane, address: UpstreamAddress): Promise<string | undefined> {
    const { feed, binary, clock, logger, broadcast } = this.#options;
    const signal = AbortSignal.any([this.#stop.signal, address.left]);
    const ts = new TsStream({
      ...{ binary, clock, logger: logger.child({ broadcast }) },
      outlet: {
        begin: (kinds) => {
          lane.begin(kinds);
          return Promise.resolve();
        },
        push: (frames) => {
          this.#framesIn += frames.length;
          lane.push(frames);
        },
      },
    });
    let stream: OpenStream | undefined;
    try {
      stream = await feed.open(signal);
      this.#counters.connections += 1;
      await this.#read({ stream, ts, output, lane, address, signal });
      return stream.isRecording ? undefined : 'the stream ended';
    } catch (thrown) {
      return thrown instanceof AppError ? thrown.message : 'the connection broke';
    } finally {
      await Promise.all([stream?.close(), this.#stop.signal.aborted ? ts.close() : ts.end()]);
    }
  }

  async #read({ stream, ts, output, lane, address, signal }: Connection): Promise<void> {
    const { clock, feed } = this.#options;
    const pieces = stream.pieces()[Symbol.asyncIterator]();
    const startedAtMs = clock.nowMs();
    const backlog = new LiveBacklog(startedAtMs, !stream.isRecording);
    const framesBefore = this.#framesIn;
    let usefulAtMs = startedAtMs;
    for (;;) {
      const askedAtMs = clock.nowMs();
      const piece = await nextPiece(pieces, { clock, signal, withinMs: STREAM_LIMITS.silenceMs });
      if (piece === undefined) return;
      const nowMs = clock.nowMs();
      this.#counters.bytes += piece.length;
      const verdict = backlog.judge(nowMs, nowMs - askedAtMs, ts.mediaMs);
      if (verdict === 'skip') {
        ts.skip(piece);
        continue;
      }
      if (verdict === 'resume') this.#tellSkipped(ts.resume());
      const frames = this.#framesIn;
      await ts.push(piece, signal);
      const fullAtMs = clock.nowMs();
      await output.room(lane, ts.kinds, signal);
      if (clock.nowMs() - fullAtMs >= HELD_MS) backlog.hold(fullAtMs);
      if (this.#framesIn > frames) usefulAtMs = nowMs;
      if (nowMs - usefulAtMs >= STREAM_LIMITS.uselessMs) {
        throw new AppError('BAD_MEDIA', `no usable frame came for ${STREAM_LIMITS.uselessMs / 1000} s`);
      }
      if (this.#framesIn > framesBefore && nowMs - startedAtMs >= STREAM_LIMITS.successMs) {
        this.#trouble = undefined;
        feed.rotation.succeeded(address, REPORTER);
      }
    }
  }

  #tellSkipped(ms: number): void {
    const skippedMs = Math.round(ms);
    this.#counters.skippedMs += skippedMs;
    const { logger, broadcast } = this.#options;
    logger.warn({ broadcast, skippedMs }, `skipped ${Math.round(skippedMs / 1000)} s to the live edge`);
  }
}
