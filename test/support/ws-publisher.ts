import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import { WsIngest, type WsIngestOptions } from '../../src/ingest/ws/ws-ingest.ts';
import type { WsMessage } from '../../src/ingest/ws/ws-messages.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { ManualClock } from './manual-clock.ts';
import { RecordingGate } from './rtmp-gate.ts';

/** A WebSocket client that sends fMP4 and keeps what the server says. */
export class WsPublisher {
  readonly socket: WebSocket;
  readonly messages: WsMessage[] = [];
  /** Resolves with the close code. */
  readonly closed: Promise<number>;
  #wake: () => void = () => undefined;

  constructor(url: string) {
    this.socket = new WebSocket(url, { perMessageDeflate: false });
    this.socket.on('message', (data: Buffer) => {
      this.messages.push(JSON.parse(data.toString()) as WsMessage);
      this.#wake();
    });
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code) => {
        resolve(code);
        this.#wake();
      });
    });
  }

  /** Connects and waits until media may flow. */
  static async ready(url: string): Promise<WsPublisher> {
    const publisher = new WsPublisher(url);
    await publisher.message('ready');
    return publisher;
  }

  /** Sends one message and resolves when it is in the kernel's hands. */
  async send(data: Buffer | string): Promise<void> {
    await new Promise<void>((resolve) => {
      this.socket.send(data, () => resolve());
    });
  }

  /** The first message of a type, once it has come. */
  async message<T extends WsMessage['type']>(type: T): Promise<Extract<WsMessage, { type: T }>> {
    for (;;) {
      const found = this.messages.find((message) => message.type === type);
      if (found !== undefined) return found as Extract<WsMessage, { type: T }>;
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`closed without a "${type}" message`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Says goodbye and waits for the server's answer. */
  async end(): Promise<void> {
    this.socket.close(1000);
    await this.closed;
  }
}

/** A WebSocket ingest behind a real HTTP server. */
interface WsTestServer extends AsyncDisposable {
  readonly ingest: WsIngest;
  readonly gate: RecordingGate;
  readonly clock: ManualClock;
  /** Address of a broadcast, with the right key unless another query is given. */
  url(name?: string, query?: string): string;
}

/** Starts an ingest on a free port. */
export async function startWsServer(limits: WsIngestOptions['limits'] = {}): Promise<WsTestServer> {
  const gate = new RecordingGate();
  const clock = new ManualClock();
  const ingest = new WsIngest({ gate, clock, limits, logger: silentLogger });
  const server = createServer((_request, response) => response.writeHead(404).end());
  server.on('upgrade', (request, socket, head) => {
    if (!ingest.handleUpgrade(request, socket, head)) socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    ingest,
    gate,
    clock,
    url: (name = 'live/demo', query = '?key=secret') => `ws://127.0.0.1:${port}/ingest/${name}${query}`,
    async [Symbol.asyncDispose]() {
      const ticking = setInterval(() => clock.advance(500), 10);
      await ingest.close();
      clearInterval(ticking);
      server.close();
      await once(server, 'close');
    },
  };
}
