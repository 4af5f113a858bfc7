import type { WebSocket } from 'ws';
import type { Clock } from '../../util/clock.ts';
import { deferred } from '../../util/deferred.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { Publication, PublisherGate } from '../publication.ts';
import { type DemuxedFrame, Fmp4Demuxer } from '../fmp4-demuxer.ts';
import { MediaInbox } from './media-inbox.ts';
import type { PublishTarget } from './publish-url.ts';
import type { WsLimits } from './ws-limits.ts';
import { closeCodeOf, toAppError, type WsMessage } from './ws-messages.ts';

/** Text frames are not sent to a peer that does not read them. */
const MAX_UNREAD_BYTES = 64 * 1024;

/** What a session is made of. */
interface WsSessionOptions {
  readonly socket: WebSocket;
  /** Where to publish, or why the URL does not tell. */
  readonly target: () => PublishTarget;
  readonly remote: string;
  readonly gate: PublisherGate;
  readonly limits: WsLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One WebSocket publisher, from the accepted upgrade to the end of its publication. */
export class WsSession {
  readonly #options: WsSessionOptions;
  readonly #demuxer = new Fmp4Demuxer();
  readonly #inbox: MediaInbox<DemuxedFrame>;
  readonly #done = deferred();
  readonly #startedAtMs: number;
  #publication: Publication | undefined;
  #lastMessageAtMs: number;
  #lastFragmentAtMs: number;
  #fragmentsSeen = 0;
  #lastStatsAtMs: number;
  #lastPingAtMs: number;
  #failedAtMs: number | undefined;
  #socketClosed = false;

  constructor(options: WsSessionOptions) {
    const { socket, limits, clock } = options;
    this.#options = options;
    const nowMs = clock.nowMs();
    this.#startedAtMs = nowMs;
    this.#lastMessageAtMs = nowMs;
    this.#lastFragmentAtMs = nowMs;
    this.#lastStatsAtMs = nowMs;
    this.#lastPingAtMs = nowMs;
    this.#inbox = new MediaInbox({
      maxBytes: limits.maxWaitingBytes,
      read: (piece) => this.#demuxer.push(piece),
      use: ({ init, frame }) => this.#publication?.frame(init, frame),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      fail: (error) => this.fail(toAppError(error)),
      emptied: () => this.#endIfDrained(),
    });
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    socket.on('ping', (data) => this.#answerPing(data));
    socket.on('error', (error) => this.#socketFailed(error));
    socket.on('close', () => this.#socketEnded());
    void this.#authorise();
  }

  /** Resolves when the socket is gone and the publication has ended. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** Ends the publication at once, tells the peer why, and closes the connection. Idempotent. */
  fail(reason: AppError): void {
    if (this.#failedAtMs !== undefined || this.#socketClosed) return;
    const { socket, clock, logger, remote } = this.#options;
    this.#failedAtMs = clock.nowMs();
    const cause = reason.cause === undefined ? {} : { cause: reasonOf(reason.cause) };
    logger.info({ remote, code: reason.code, reason: reason.message, ...cause }, 'WebSocket publisher cut off');
    this.#inbox.close();
    this.#publication?.end();
    this.#send({ type: 'error', code: reason.code, message: reason.message });
    // The peer's own close frame is read only while the socket is.
    socket.resume();
    socket.close(closeCodeOf(reason));
  }

  /** Checks the timers, pings, and sends statistics; to be called several times a second. */
  tick(): void {
    const { socket, clock, limits } = this.#options;
    const nowMs = clock.nowMs();
    if (this.#failedAtMs !== undefined) {
      if (nowMs - this.#failedAtMs >= limits.closeWithinMs) socket.terminate();
      return;
    }
    const overdue = this.#overdue(nowMs);
    if (overdue !== undefined) {
      this.fail(overdue);
      return;
    }
    if (nowMs - this.#lastPingAtMs >= limits.pingEachMs && socket.readyState === socket.OPEN) {
      this.#lastPingAtMs = nowMs;
      socket.ping();
    }
    if (nowMs - this.#lastStatsAtMs >= limits.statsEachMs && this.#publication !== undefined) {
      this.#lastStatsAtMs = nowMs;
      this.#send({ type: 'stats', waitingBytes: this.#inbox.waitingBytes, ...this.#publication.stats() });
    }
  }

  async #authorise(): Promise<void> {
    const { gate, remote, target } = this.#options;
    this.#inbox.hold();
    try {
      const { broadcast, key } = target();
      const publication = await gate.publish({
        broadcast,
        key,
        protocol: 'ws',
        remote,
        disconnect: (reason) => this.fail(reason),
      });
      this.#publication = publication;
      if (this.#failedAtMs !== undefined) publication.end();
      else this.#send({ type: 'ready', broadcast });
      this.#inbox.release();
    } catch (thrown) {
      this.#inbox.close();
      this.fail(toAppError(thrown));
    }
    this.#endIfDrained();
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#failedAtMs !== undefined) return;
    this.#lastMessageAtMs = this.#options.clock.nowMs();
    if (isBinary) this.#inbox.put(data);
    else this.fail(new AppError('BAD_REQUEST', 'text messages have no meaning here; send media as binary messages'));
  }

  #overdue(nowMs: number): AppError | undefined {
    const { initWithinMs, idleMs, fragmentWithinMs } = this.#options.limits;
    if (this.#demuxer.fragments > this.#fragmentsSeen) {
      this.#fragmentsSeen = this.#demuxer.fragments;
      this.#lastFragmentAtMs = nowMs;
    }
    if (!this.#demuxer.hasInit && nowMs - this.#startedAtMs >= initWithinMs) {
      return new AppError('GONE', `no complete init (ftyp + moov) came within ${initWithinMs / 1000} s`);
    }
    if (nowMs - this.#lastMessageAtMs >= idleMs) {
      return new AppError('GONE', `nothing was sent for ${idleMs / 1000} s`);
    }
    if (nowMs - this.#lastFragmentAtMs >= fragmentWithinMs) {
      return new AppError('GONE', `no complete fragment came within ${fragmentWithinMs / 1000} s; send shorter ones`);
    }
    return undefined;
  }

  #send(message: WsMessage): void {
    const { socket } = this.#options;
    if (socket.readyState !== socket.OPEN || socket.bufferedAmount > MAX_UNREAD_BYTES) return;
    socket.send(JSON.stringify(message));
  }

  /** Answers are bounded too: a peer that pings and never reads gets none. */
  #answerPing(data: Buffer): void {
    const { socket } = this.#options;
    if (socket.readyState === socket.OPEN && socket.bufferedAmount <= MAX_UNREAD_BYTES) socket.pong(data);
  }

  /** A broken protocol, e.g. a message over the limit: `ws` closes the connection with the code that the RFC has for it. */
  #socketFailed(error: Error): void {
    if (this.#failedAtMs !== undefined) return;
    const { logger, clock, remote } = this.#options;
    this.#failedAtMs = clock.nowMs();
    logger.info({ remote, reason: error.message }, 'WebSocket publisher broke the protocol');
    this.#inbox.close();
    this.#publication?.end();
  }

  #socketEnded(): void {
    this.#socketClosed = true;
    this.#endIfDrained();
  }

  /** What came before the end of the connection is still published. */
  #endIfDrained(): void {
    if (!this.#socketClosed || !this.#inbox.empty) return;
    this.#publication?.end();
    this.#done.resolve();
  }
}
