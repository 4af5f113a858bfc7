import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Clock } from '../../util/clock.ts';
import { type Closable, Closer } from '../../util/closer.ts';
import { AppError } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { PublisherGate } from '../publication.ts';
import { isPublishUrl, parsePublishUrl } from './publish-url.ts';
import { DEFAULT_WS_LIMITS, type WsLimits } from './ws-limits.ts';
import { WsSession } from './ws-session.ts';

const TICK_MS = 250;

/** Settings of the WebSocket ingest. */
export interface WsIngestOptions {
  readonly gate: PublisherGate;
  readonly limits?: Partial<WsLimits>;
  readonly logger: Logger;
  readonly clock: Clock;
}

/**
 * Takes publishers over WebSocket at `/ingest/APP/NAME?key=SECRET`: binary messages are an fMP4 byte stream cut anywhere.
 * It has no port of its own: the HTTP server hands its upgrade requests in.
 */
export class WsIngest implements Closable {
  readonly #options: WsIngestOptions;
  readonly #limits: WsLimits;
  readonly #server: WebSocketServer;
  readonly #sessions = new Set<WsSession>();
  readonly #closer = new Closer();

  constructor(options: WsIngestOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_WS_LIMITS, ...options.limits };
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      autoPong: false,
      perMessageDeflate: false,
      maxPayload: this.#limits.maxMessageBytes,
    });
    // Registered first, closed last: the timers that end unwilling peers run until the sessions are gone.
    this.#closer.add(options.clock.every(TICK_MS, () => this.#tick()));
    this.#closer.add(() => this.#closeSessions());
  }

  /** Connections at present, publishing or not. */
  get connections(): number {
    return this.#sessions.size;
  }

  /**
   * Takes over a request of the HTTP server's `upgrade` event. Refusals come as an `error` message and a close code after
   * the handshake, since a browser cannot read anything else.
   * @returns false, without touching the socket, if the URL is not one of the ingest's.
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const url = request.url ?? '';
    if (!isPublishUrl(url)) return false;
    if (this.#closer.closed || this.#sessions.size >= this.#limits.maxConnections) {
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', () =>
        socket.destroy(),
      );
      return true;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const session = new WsSession({
        socket: webSocket,
        target: () => parsePublishUrl(url),
        remote: request.socket.remoteAddress ?? 'unknown',
        gate: this.#options.gate,
        limits: this.#limits,
        clock: this.#options.clock,
        logger: this.#options.logger,
      });
      this.#sessions.add(session);
      void session.done.then(() => this.#sessions.delete(session));
    });
    return true;
  }

  /** Cuts all publishers off and waits for their sockets; refuses new ones from the first call on. */
  close(): Promise<void> {
    return this.#closer.close();
  }

  #tick(): void {
    for (const session of this.#sessions) session.tick();
  }

  async #closeSessions(): Promise<void> {
    const reason = new AppError('UNAVAILABLE', 'the server is shutting down');
    const sessions = [...this.#sessions];
    for (const session of sessions) session.fail(reason);
    await Promise.all(sessions.map(({ done }) => done));
  }
}
