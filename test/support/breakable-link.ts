import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP link to a server that a test can break as networks break. */
export class BreakableLink {
  readonly port: number;
  readonly #close: () => Promise<void>;
  readonly #pairs: Set<readonly [Socket, Socket]>;

  private constructor(port: number, pairs: Set<readonly [Socket, Socket]>, close: () => Promise<void>) {
    this.port = port;
    this.#pairs = pairs;
    this.#close = close;
  }

  static async to(port: number): Promise<BreakableLink> {
    const pairs = new Set<readonly [Socket, Socket]>();
    const server = createServer((client) => {
      const upstream = connect({ port, host: '127.0.0.1' });
      const pair = [client, upstream] as const;
      pairs.add(pair);
      for (const socket of pair) {
        socket.on('error', () => undefined);
        socket.on('close', () => {
          pairs.delete(pair);
          for (const other of pair) other.destroy();
        });
      }
      client.pipe(upstream).pipe(client);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new BreakableLink((server.address() as AddressInfo).port, pairs, async () => {
      server.close();
      for (const pair of pairs) for (const socket of pair) socket.destroy();
      await once(server, 'close');
    });
  }

  /** Resets every connection on both sides. */
  reset(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  close(): Promise<void> {
    return this.#close();
  }
}
