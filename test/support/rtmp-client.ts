import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Amf0Value, decodeAmf0, encodeAmf0 } from '../../src/media/flv/amf0.ts';

/** One RTMP message as it is put into chunks. */
export interface RawMessage {
  readonly type: number;
  readonly payload: Buffer;
  /** Default: 2 for control, 3 for commands, 4 audio, 6 video, 5 data. */
  readonly cid?: number;
  readonly streamId?: number;
  readonly timestamp?: number;
  /** Length in the header if it shall differ from the payload's. */
  readonly length?: number;
}

/** A command or data message that came from the server. */
export interface ReceivedMessage {
  readonly type: number;
  readonly payload: Buffer;
}

/** A status that the server sent in an `onStatus`. */
export interface Status {
  readonly level: string;
  readonly code: string;
  readonly description: string;
}

const DEFAULT_CID: Record<number, number> = { 8: 4, 9: 6, 17: 3, 18: 5, 20: 3 };

/** A hand-written RTMP publisher that can also send what no proper one would. */
export class RawRtmpClient {
  readonly socket: Socket;
  /** Resolves when the connection is gone, by whichever side. */
  readonly closed: Promise<void>;
  readonly messages: ReceivedMessage[] = [];
  chunkSize = 128;
  #buffer: Buffer = Buffer.alloc(0);
  #handshaken = false;
  #inChunkSize = 128;
  #partial = new Map<number, { type: number; length: number; parts: Buffer[]; bytes: number }>();
  #waiters: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        resolve();
        this.#wake();
      });
    });
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
  }

  /** Opens the connection; no byte is sent. */
  static async open(port: number, options: { tls?: boolean; host?: string } = {}): Promise<RawRtmpClient> {
    const host = options.host ?? '127.0.0.1';
    const socket = options.tls
      ? connectTls({ port, host, rejectUnauthorized: false })
      : connectTcp({ port, host, noDelay: true });
    await once(socket, options.tls ? 'secureConnect' : 'connect');
    return new RawRtmpClient(socket);
  }

  /** Opens a connection and publishes up to the server's answer. */
  static async publish(
    port: number,
    streamName: string,
    options: { app?: string; tls?: boolean } = {},
  ): Promise<{ client: RawRtmpClient; status: Status }> {
    const client = await RawRtmpClient.open(port, options);
    await client.handshake();
    await client.connect(options.app ?? 'live');
    await client.createStream();
    client.command('publish', 5, null, streamName, 'live');
    return { client, status: await client.status() };
  }

  /** The simple handshake: C0, C1, then C2 once S0 to S2 are there. */
  async handshake(): Promise<void> {
    const c1 = Buffer.alloc(1536, 7);
    c1.fill(0, 0, 8);
    this.socket.write(Buffer.concat([Buffer.from([3]), c1]));
    await this.#until(() => this.#buffer.length >= 1 + 2 * 1536);
    const s1 = this.#buffer.subarray(1, 1537);
    this.socket.write(s1);
    this.#buffer = this.#buffer.subarray(1 + 2 * 1536);
    this.#handshaken = true;
    this.#parse();
  }

  /** Sends `connect` and returns the decoded answer. */
  async connect(app: string, members: Record<string, Amf0Value> = {}): Promise<Amf0Value[]> {
    this.command('connect', 1, { app, type: 'nonprivate', tcUrl: `rtmp://127.0.0.1/${app}`, ...members });
    const answer = await this.commandNamed('_result');
    this.setChunkSize(4096);
    return answer;
  }

  async createStream(): Promise<void> {
    this.command('createStream', 4, null);
    await this.commandNamed('_result', 2);
  }

  /** Announces a chunk size and uses it. */
  setChunkSize(bytes: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(bytes);
    this.send({ type: 1, payload });
    this.chunkSize = bytes;
  }

  command(name: string, transactionId: number, ...args: Amf0Value[]): void {
    this.send({ type: 20, payload: encodeAmf0(name, transactionId, ...args), streamId: name === 'publish' ? 1 : 0 });
  }

  audio(timestamp: number, payload: Buffer): void {
    this.send({ type: 8, payload, timestamp, streamId: 1 });
  }

  video(timestamp: number, payload: Buffer): void {
    this.send({ type: 9, payload, timestamp, streamId: 1 });
  }

  /** Sends a message with a full header, cut into chunks. */
  send(message: RawMessage): void {
    this.raw(chunksOf(message, this.chunkSize));
  }

  raw(bytes: Buffer): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  /** The newest status, once there is one. */
  async status(count = 1): Promise<Status> {
    const values = await this.commandNamed('onStatus', count);
    return values[3] as unknown as Status;
  }

  /** The `count`-th command of that name that the server sent. */
  async commandNamed(name: string, count = 1): Promise<Amf0Value[]> {
    const find = (): Amf0Value[] | undefined =>
      this.messages
        .filter(({ type }) => type === 20)
        .map(({ payload }) => decodeAmf0(payload))
        .filter((values) => values[0] === name)[count - 1];
    await this.#until(() => find() !== undefined);
    return find()!;
  }

  /** The `count`-th message of that type that the server sent. */
  async messageOfType(type: number, count = 1): Promise<ReceivedMessage> {
    const find = (): ReceivedMessage | undefined => this.messages.filter((message) => message.type === type)[count - 1];
    await this.#until(() => find() !== undefined);
    return find()!;
  }

  /** Sends `deleteStream` and closes, as OBS does. */
  async end(): Promise<void> {
    this.command('FCUnpublish', 6, null, 'x');
    this.command('deleteStream', 7, null, 1);
    this.socket.end();
    await this.closed;
  }

  /** Waits until all that was sent has left the process. */
  async flushed(): Promise<void> {
    if (this.socket.writableLength > 0) await Promise.race([once(this.socket, 'drain'), this.closed]);
  }

  destroy(): void {
    this.socket.destroy();
  }

  #receive(bytes: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    if (this.#handshaken) this.#parse();
    this.#wake();
  }

  #parse(): void {
    while (this.#parseChunk());
  }

  #parseChunk(): boolean {
    const buffer = this.#buffer;
    if (buffer.length < 1) return false;
    const fmt = buffer[0]! >> 6;
    const cid = buffer[0]! & 0x3f;
    const headerBytes = [11, 7, 3, 0][fmt]!;
    if (buffer.length < 1 + headerBytes) return false;
    const known = this.#partial.get(cid);
    const message = known ?? { type: buffer[7]!, length: buffer.readUIntBE(4, 3), parts: [], bytes: 0 };
    const take = Math.min(this.#inChunkSize, message.length - message.bytes);
    if (buffer.length < 1 + headerBytes + take) return false;
    message.parts.push(buffer.subarray(1 + headerBytes, 1 + headerBytes + take));
    message.bytes += take;
    this.#buffer = buffer.subarray(1 + headerBytes + take);
    if (message.bytes < message.length) {
      this.#partial.set(cid, message);
      return true;
    }
    this.#partial.delete(cid);
    const payload = Buffer.concat(message.parts);
    if (message.type === 1) this.#inChunkSize = payload.readUInt32BE();
    this.messages.push({ type: message.type, payload });
    return true;
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.socket.destroyed) throw new Error('the server closed the connection');
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }
}

/** The chunks of a message: a full header, then continuations, with extended timestamps where they are due. */
export function chunksOf(message: RawMessage, chunkSize: number): Buffer {
  const { type, payload, streamId = 0, timestamp = 0, length = payload.length } = message;
  const cid = message.cid ?? DEFAULT_CID[type] ?? 2;
  const extended = timestamp >= 0xffffff ? uint32(timestamp) : Buffer.alloc(0);
  const header = Buffer.alloc(11);
  header.writeUIntBE(Math.min(timestamp, 0xffffff), 0, 3);
  header.writeUIntBE(length, 3, 3);
  header[6] = type;
  header.writeUInt32LE(streamId, 7);
  const out = [basicHeader(0, cid), header, extended, payload.subarray(0, chunkSize)];
  for (let at = chunkSize; at < payload.length; at += chunkSize) {
    out.push(basicHeader(3, cid), extended, payload.subarray(at, at + chunkSize));
  }
  return Buffer.concat(out);
}

/** A chunk's basic header in its 1, 2 or 3 byte form (RTMP 1.0, 5.3.1.1). */
export function basicHeader(fmt: number, cid: number): Buffer {
  if (cid < 64) return Buffer.from([(fmt << 6) | cid]);
  if (cid < 320) return Buffer.from([fmt << 6, cid - 64]);
  return Buffer.from([(fmt << 6) | 1, (cid - 64) & 0xff, (cid - 64) >> 8]);
}

function uint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}
