import type { Socket } from 'node:net';
import type { Clock } from '../../util/clock.ts';
import { deferred } from '../../util/deferred.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { Publication, PublisherGate } from '../publication.ts';
import { FlvIngest } from './flv-ingest.ts';
import { GuardedRtmp, type MediaType, type RtmpHandler } from './guarded-rtmp.ts';
import { parsePublishName } from './publish-name.ts';
import type { RtmpLimits } from './rtmp-limits.ts';

/** An acknowledgement more often makes some publishers lose their last second when they close. */
const ACK_EACH_BYTES = 5_000_000;
/** A name that goes into the log; any other, or one without a key beside it, may be a misplaced secret. */
const LOGGED_NAME = /^[\w-]+\/[\w.-]{1,128}$/;

/** What a session needs. It owns the socket from now on. */
export interface RtmpSessionOptions {
  readonly socket: Socket;
  readonly protocol: 'rtmp' | 'rtmps';
  readonly gate: PublisherGate;
  readonly limits: RtmpLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One publisher's connection, from the first byte to the end of its publication. */
export class RtmpSession {
  readonly #options: RtmpSessionOptions;
  readonly #rtmp: GuardedRtmp;
  readonly #ended = deferred();
  readonly #closed = new AbortController();
  readonly #remote: string;
  readonly #connectedAtMs: number;
  #logger: Logger;
  #publication: Publication | undefined;
  #ingest: FlvIngest | undefined;
  #lastMediaAtMs: number;
  #receivedBytes = 0;
  #acknowledgedBytes = 0;
  #publishRequested = false;
  #over = false;

  constructor(options: RtmpSessionOptions) {
    const { socket, clock, limits } = options;
    this.#options = options;
    this.#remote = `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`;
    this.#logger = options.logger.child({ remote: this.#remote });
    this.#connectedAtMs = clock.nowMs();
    this.#lastMediaAtMs = this.#connectedAtMs;
    const handler: RtmpHandler = {
      output: (bytes) => this.#output(bytes),
      publishRequested: (app, streamName) => void this.#authorize(app, streamName),
      media: (type, timestampMs, payload) => this.#media(type, timestampMs, payload),
      finished: (why) => this.#finish(why),
    };
    this.#rtmp = new GuardedRtmp(handler, limits);
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('error', (error) => this.#logger.debug({ reason: reasonOf(error) }, 'socket error'));
    socket.on('close', () => {
      this.#leave('the connection closed');
      this.#closed.abort();
      this.#ended.resolve();
    });
  }

  /** Resolves when the socket is closed and the publication has ended. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Enforces the time limits and hands out what waits too long; to be called every few hundred ms. */
  sweep(): void {
    if (this.#over) return;
    const { clock, limits } = this.#options;
    const nowMs = clock.nowMs();
    if (this.#publication === undefined) {
      if (nowMs - this.#connectedAtMs >= limits.publishTimeoutMs) {
        this.#cut(new AppError('BAD_REQUEST', `no accepted publish within ${limits.publishTimeoutMs} ms`));
      }
      return;
    }
    if (nowMs - this.#lastMediaAtMs >= limits.idleTimeoutMs) {
      this.#cut(new AppError('GONE', `the publisher sent no media for ${limits.idleTimeoutMs} ms`));
      return;
    }
    this.#ingest?.flush(nowMs - limits.stallFlushMs);
  }

  /** Ends the publication and destroys the socket: a client that ignores a FIN notices as well. */
  destroy(reason: AppError): void {
    this.#cut(reason);
  }

  #receive(bytes: Buffer): void {
    if (this.#over) return;
    this.#receivedBytes += bytes.length;
    this.#guard(() => {
      this.#rtmp.parserData(bytes);
      if (this.#receivedBytes - this.#acknowledgedBytes < ACK_EACH_BYTES) return;
      this.#acknowledgedBytes = this.#receivedBytes;
      this.#rtmp.sendACK(this.#receivedBytes % 2 ** 32);
    });
  }

  /** Runs what a client's bytes set off; whatever it throws ends this connection and nothing else. */
  #guard(task: () => void): void {
    try {
      task();
    } catch (error) {
      if (this.#over) return;
      if (!(error instanceof AppError)) this.#logger.error({ reason: reasonOf(error) }, 'RTMP parser failed');
      this.#cut(error instanceof AppError ? error : new AppError('BAD_REQUEST', 'unusable RTMP', { cause: error }));
    }
  }

  async #authorize(app: string, streamName: string): Promise<void> {
    const { gate, protocol, socket } = this.#options;
    this.#publishRequested = true;
    const { broadcast, key } = parsePublishName(app, streamName);
    if (key !== undefined && LOGGED_NAME.test(broadcast)) this.#logger = this.#logger.child({ broadcast });
    socket.pause();
    try {
      const publication = await gate.publish({
        broadcast,
        key,
        protocol,
        remote: this.#remote,
        disconnect: (reason) => this.#cut(reason),
      });
      this.#start(publication);
    } catch (error) {
      this.#guard(() => this.#refuse(error));
    }
    socket.resume();
  }

  #start(publication: Publication): void {
    if (this.#over) {
      publication.end();
      return;
    }
    const { limits, clock } = this.#options;
    this.#publication = publication;
    this.#ingest = new FlvIngest(publication, limits.maxBadMessages, this.#logger);
    this.#lastMediaAtMs = clock.nowMs();
    this.#logger.info({}, 'publishing');
    this.#guard(() => this.#rtmp.accept());
  }

  #refuse(error: unknown): void {
    if (this.#over) return;
    const { status, description } = refusal(error);
    if (!(error instanceof AppError)) this.#logger.error({ reason: reasonOf(error) }, 'publisher gate failed');
    this.#rtmp.reject(status, description);
    this.#finish(`publish refused: ${description}`);
  }

  #media(type: MediaType, timestampMs: number, payload: Buffer): void {
    if (this.#over) return;
    const nowMs = this.#options.clock.nowMs();
    if (type !== 'data' && payload.length > 1) this.#lastMediaAtMs = nowMs;
    this.#ingest?.message(type, timestampMs, payload, nowMs);
  }

  #output(bytes: Buffer): void {
    const { socket, limits } = this.#options;
    if (this.#over || socket.destroyed) return;
    if (socket.writableLength + bytes.length > limits.maxOutputBytes) {
      throw new AppError('LIMIT_REACHED', `the client does not read: ${socket.writableLength} bytes wait for it`);
    }
    socket.write(bytes);
  }

  /** Ends the publication, leaves the client a moment to read the last answer, then destroys the socket. */
  #finish(why: string): void {
    if (this.#over) return;
    this.#leave(why);
    const { socket, clock, limits } = this.#options;
    socket.end();
    void clock.wait(limits.lingerMs, this.#closed.signal).then(() => socket.destroy());
  }

  #cut(reason: AppError): void {
    this.#leave(reason.message);
    this.#options.socket.destroy();
  }

  #leave(why: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#rtmp.stop();
    this.#ingest?.flush();
    this.#publication?.end();
    const stats = { ...this.#ingest?.stats, ...this.#publication?.stats() };
    const level = this.#publishRequested ? 'info' : 'debug';
    this.#logger[level]({ why, receivedBytes: this.#receivedBytes, ...stats }, 'RTMP connection ended');
  }
}

function refusal(error: unknown): { status: string; description: string } {
  if (!(error instanceof AppError)) return { status: 'NetStream.Publish.Rejected', description: 'Internal error.' };
  const description = error.message;
  switch (error.code) {
    case 'UNAUTHORIZED':
    case 'FORBIDDEN':
      return { status: 'NetStream.Publish.Denied', description };
    case 'BUSY':
    case 'CONFLICT':
      return { status: 'NetStream.Publish.BadName', description };
    default:
      return { status: 'NetStream.Publish.Rejected', description };
  }
}
