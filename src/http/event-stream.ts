import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { Clock } from '../util/clock.ts';
import { AppError } from '../util/errors.ts';

/** One client of server-sent events. */
export interface EventStream {
  /** Tells it something; `data` becomes JSON. A client that is too far behind is cut off. */
  send(type: string, data: unknown): void;
  /** Ends the stream after what was sent. */
  end(): void;
}

/** Clients at a time. */
const MAX_CLIENTS = 100;

/** A client that is this far behind is cut off; it connects again and is told everything anew. */
const MAX_BEHIND_BYTES = 256 * 1024;

/** Proxies and the server itself cut connections on which nothing happens. */
const HEARTBEAT_MS = 15_000;

/** Answers with server-sent events, to a bounded number of clients that each hold a bounded amount of memory. */
export class EventStreams {
  readonly #clock: Clock;
  #clients = 0;

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  /**
   * Begins to answer.
   * @param begin called at once; what it returns is called when the client has gone
   * @throws AppError `LIMIT_REACHED` if there are as many clients as there may be
   */
  open(reply: FastifyReply, begin: (stream: EventStream) => () => void): FastifyReply {
    if (this.#clients >= MAX_CLIENTS) {
      throw new AppError('LIMIT_REACHED', `${MAX_CLIENTS} clients listen to events already; end one of them`);
    }
    const body = new Readable({ read: () => undefined });
    let isEnded = false;
    const push = (text: string): void => {
      if (isEnded) return;
      if (body.readableLength + text.length > MAX_BEHIND_BYTES) body.destroy();
      else body.push(text);
    };
    const stop = begin({
      send: (type, data) => push(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`),
      end: () => {
        isEnded = true;
        body.push(null);
      },
    });
    const stopHeartbeat = this.#clock.every(HEARTBEAT_MS, () => push(': heartbeat\n\n'));
    this.#clients += 1;
    body.once('close', () => {
      this.#clients -= 1;
      stop();
      stopHeartbeat();
    });
    // Some proxies collect answers unless they are told not to.
    void reply.headers({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
    push(': connected\n\n');
    return reply.send(body);
  }
}
