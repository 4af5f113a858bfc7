import { once } from 'node:events';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Clock } from '../../util/clock.ts';
import { type Closable, Closer } from '../../util/closer.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { PublisherGate } from '../publication.ts';
import { DEFAULT_RTMP_LIMITS, type RtmpLimits } from './rtmp-limits.ts';
import { RtmpSession } from './rtmp-session.ts';

const SWEEP_EACH_MS = 250;
const TLS_HANDSHAKE_MS = 10_000;

/** Settings of one listening port. */
export interface RtmpServerOptions {
  readonly gate: PublisherGate;
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** PEM; with it the port speaks RTMPS and nothing else. */
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer };
  readonly limits?: Partial<RtmpLimits>;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Takes publishers over RTMP or RTMPS. Several may run in one process. */
export class RtmpServer implements Closable {
  readonly #options: RtmpServerOptions;
  readonly #limits: RtmpLimits;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<RtmpSession>();
  readonly #closer = new Closer();

  constructor(options: RtmpServerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_RTMP_LIMITS, ...options.limits };
    const { tls } = options;
    const serve = (socket: Socket): void => this.#serve(socket);
    this.#server =
      tls === undefined
        ? createTcpServer(serve)
        : createTlsServer({ ...tls, handshakeTimeout: TLS_HANDSHAKE_MS }, serve);
    this.#server.maxConnections = this.#limits.maxConnections;
    // With TLS these are the raw sockets, which exist before their handshake is done.
    this.#server.on('connection', (socket: Socket) => this.#track(socket));
    this.#server.on('tlsClientError', (error, socket: Socket) => {
      options.logger.debug({ reason: reasonOf(error) }, 'TLS handshake failed');
      socket.destroy();
    });
  }

  /** Connections at present, publishing or not. */
  get connections(): number {
    return this.#sessions.size;
  }

  /**
   * Starts to listen and tells the port.
   *
   * @throws AppError `UNAVAILABLE` if the address cannot be had, e.g. because the port is taken.
   */
  async listen(): Promise<{ port: number }> {
    const { host, port, clock, logger } = this.#options;
    if (this.#closer.closed) throw new AppError('UNAVAILABLE', 'the RTMP server is closed');
    try {
      this.#server.listen({ host, port });
      await once(this.#server, 'listening');
    } catch (error) {
      throw new AppError('UNAVAILABLE', `RTMP cannot listen on ${host}:${port}: ${reasonOf(error)}`, { cause: error });
    }
    this.#server.on('error', (error) => logger.error({ reason: reasonOf(error) }, 'RTMP server error'));
    this.#closer.add(() => this.#shutDown());
    this.#closer.add(clock.every(SWEEP_EACH_MS, () => this.#sweep()));
    return { port: (this.#server.address() as AddressInfo).port };
  }

  /** Stops to listen, ends all publications and waits until every connection is gone. */
  close(): Promise<void> {
    return this.#closer.close();
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #serve(socket: Socket): void {
    const { gate, clock, logger, tls } = this.#options;
    const protocol = tls === undefined ? 'rtmp' : 'rtmps';
    const session = new RtmpSession({ socket, protocol, gate, limits: this.#limits, clock, logger });
    this.#sessions.add(session);
    void session.ended.then(() => this.#sessions.delete(session));
    if (this.#closer.closed) session.destroy(shuttingDown());
  }

  #sweep(): void {
    for (const session of this.#sessions) session.sweep();
  }

  async #shutDown(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const session of this.#sessions) session.destroy(shuttingDown());
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    await Promise.all([...this.#sessions].map((session) => session.ended));
  }
}

function shuttingDown(): AppError {
  return new AppError('UNAVAILABLE', 'the server shuts down');
}
