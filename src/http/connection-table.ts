import type { Server, Socket } from 'node:net';

/** The open connections of a server: not too many of one address, and all of them ended when it closes. */
export class ConnectionTable {
  readonly #maxPerAddress: number;
  readonly #sockets = new Set<Socket>();
  readonly #counts = new Map<string, number>();
  #closed = false;

  /** @param maxPerAddress Connections of an address beyond that are closed at once; loopback is not counted. */
  constructor(server: Server, maxPerAddress: number) {
    this.#maxPerAddress = maxPerAddress;
    server.on('connection', (socket: Socket) => this.#onConnection(socket));
  }

  /** Connections right now. */
  get size(): number {
    return this.#sockets.size;
  }

  /** Ends all of them, whatever they wait for, and those that still come. */
  destroyAll(): void {
    this.#closed = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  #onConnection(socket: Socket): void {
    // Without an address it has gone already.
    const address = socket.remoteAddress;
    if (this.#closed || address === undefined) {
      socket.destroy();
      return;
    }
    const count = (this.#counts.get(address) ?? 0) + 1;
    if (count > this.#maxPerAddress && !isLoopback(address)) {
      socket.destroy();
      return;
    }
    this.#counts.set(address, count);
    this.#sockets.add(socket);
    socket.once('close', () => this.#forget(socket, address));
  }

  #forget(socket: Socket, address: string): void {
    this.#sockets.delete(socket);
    const left = (this.#counts.get(address) ?? 1) - 1;
    if (left === 0) this.#counts.delete(address);
    else this.#counts.set(address, left);
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}
