import Rtmp, { type RtmpPacket } from 'node-media-server/src/protocol/rtmp.js';
import nmsLogger from 'node-media-server/src/core/logger.js';
import { type Amf0Object, type Amf0Value, decodeAmf0, encodeAmf0, isAmf0Object } from '../../media/flv/amf0.ts';
import { AppError } from '../../util/errors.ts';
import { connectReply } from './connect-reply.ts';
import type { RtmpLimits } from './rtmp-limits.ts';

// The package logs every oddity of a client to the console.
nmsLogger.log = () => undefined;

/** Kinds of message that are handed out. */
export type MediaType = 'audio' | 'video' | 'data';

/** What a connection tells its owner. All calls are synchronous, from inside `parserData()`. */
export interface RtmpHandler {
  /** Bytes for the client. */
  output(bytes: Buffer): void;
  /** The client asks to publish; answer by `accept()` or `reject()`, now or later. */
  publishRequested(app: string, streamName: string): void;
  /** A message of an accepted publisher. The payload is fresh: the receiver owns it. The timestamp wraps at 2^32 ms. */
  media(type: MediaType, timestampMs: number, payload: Buffer): void;
  /** The connection is over, the last answer is written: the client ended its stream, or wants what it cannot have. */
  finished(why: string): void;
}

type State = 'connecting' | 'authorizing' | 'publishing' | 'over';

interface HeldMessage {
  readonly type: MediaType;
  readonly timestampMs: number;
  readonly payload: Buffer;
}

const EMPTY = Buffer.alloc(0);
const WINDOW_ACK_BYTES = 5_000_000;
const MAX_CHUNK_BYTES = 0xff_ffff;

/** Names of the inherited methods that must exist for the guards here to be in force. */
export const GUARDED_METHODS = Object.freeze([
  'packetParse',
  'packetAlloc',
  'packetHandler',
  'controlHandler',
  'eventHandler',
  'invokeHandler',
  'dataHandler',
] as const);

/**
 * The protocol of one RTMP connection that only publishes: node-media-server's handshake and chunk parser with a limit
 * on everything a client chooses. `parserData()` throws `AppError` when the client breaks the protocol; the connection
 * is unusable from then on.
 */
export class GuardedRtmp extends Rtmp {
  readonly #handler: RtmpHandler;
  readonly #limits: RtmpLimits;
  #state: State = 'connecting';
  #app: string | undefined;
  #pendingBytes = 0;
  #commands = 0;
  #held: HeldMessage[] = [];
  #heldBytes = 0;

  constructor(handler: RtmpHandler, limits: RtmpLimits) {
    super();
    this.#handler = handler;
    this.#limits = limits;
    // Its 1 MB buffer is for reading FLV files.
    this.flv = null;
    this.onOutputCallback = (bytes) => this.#handler.output(bytes);
  }

  /** Tells the client that it may send, and hands out what it sent in the meantime. */
  accept(): void {
    if (this.#state !== 'authorizing') return;
    this.#state = 'publishing';
    this.sendStatusMessage(this.streamId, 'status', 'NetStream.Publish.Start', 'Publishing.');
    const held = this.#held;
    this.#held = [];
    for (const { type, timestampMs, payload } of held) this.#handler.media(type, timestampMs, payload);
  }

  /** Tells the client why it may not; nothing of what it sends is handed out any more. */
  reject(code: string, description: string): void {
    if (this.#state === 'over') return;
    this.sendStatusMessage(this.streamId, 'error', code, description);
    this.stop();
  }

  /** Hands out nothing any more. */
  stop(): void {
    this.#state = 'over';
    this.#held = [];
    this.inPackets.clear();
  }

  /** @throws AppError `BAD_REQUEST` if the client breaks the protocol or a limit. */
  override parserData(bytes: Buffer): string | null {
    if (this.handshakeState === 0 && bytes.length > 0 && bytes[0] !== 3) {
      throw new AppError('BAD_REQUEST', `not an RTMP client: the first byte is ${bytes[0] ?? 0}, not 3`);
    }
    return super.parserData(bytes);
  }

  override packetParse(): void {
    const fmt = (this.parserBuffer[0] ?? 0) >> 6;
    const cid = this.#chunkStreamId();
    const packet = this.inPackets.get(cid) ?? this.#openChunkStream(fmt, cid);
    this.parserPacket = packet;
    if (packet.bytes > 0 && fmt !== 3) {
      throw violation(`a new message on chunk stream ${cid} inside the message before it`);
    }
    packet.header.fmt = fmt;
    packet.header.cid = cid;
    this.chunkMessageHeaderRead();
    if (packet.bytes === 0) this.#checkLength(packet);
  }

  override packetAlloc(): void {
    const packet = this.parserPacket;
    // Deltas are summed up; the sum has to wrap as the timestamp does.
    packet.clock %= 2 ** 32;
    this.#pendingBytes += packet.header.length;
    packet.payload = Buffer.allocUnsafe(packet.header.length);
    packet.capacity = packet.header.length;
  }

  override packetHandler(): void {
    const packet = this.parserPacket;
    this.#pendingBytes -= packet.header.length;
    try {
      if (this.#state !== 'over' && packet.header.length > 0) super.packetHandler();
    } finally {
      packet.payload = EMPTY;
      packet.capacity = 0;
    }
  }

  override controlHandler(): void {
    const { header, payload } = this.parserPacket;
    if (header.type !== 1 && header.type !== 2) return;
    if (payload.length < 4) throw violation(`a control message ${header.type} of ${payload.length} bytes`);
    const value = payload.readUInt32BE();
    if (header.type === 2) {
      this.#abort(value);
      return;
    }
    const chunkBytes = value & 0x7fff_ffff;
    if (chunkBytes < 1) throw violation(`a chunk size of ${value}`);
    this.inChunkSize = Math.min(chunkBytes, MAX_CHUNK_BYTES);
  }

  override eventHandler(): void {
    const { payload } = this.parserPacket;
    // Ping request 6 is answered by ping response 7 (RTMP 1.0, 7.1.7).
    if (payload.length >= 6 && payload.readUInt16BE() === 6) this.sendStreamStatus(7, payload.readUInt32BE(2));
  }

  override invokeHandler(): void {
    this.#commands += 1;
    if (this.#commands > this.#limits.maxCommands) throw violation(`more than ${this.#limits.maxCommands} commands`);
    const [name, transaction, command, ...rest] = decodeAmf0(this.#amf0Payload());
    const transactionId = typeof transaction === 'number' ? transaction : 0;
    switch (name) {
      case 'connect': {
        this.#connect(transactionId, command);
        return;
      }
      case 'createStream': {
        this.respondCreateStream(transactionId);
        return;
      }
      case 'publish': {
        this.#publish(rest[0]);
        return;
      }
      case 'play': {
        this.#refusePlay();
        return;
      }
      case 'deleteStream':
      case 'closeStream': {
        this.#endStream();
        return;
      }
      default:
        return;
    }
  }

  override dataHandler(): void {
    const { header, clock } = this.parserPacket;
    const type = mediaType(header.type);
    const payload = type === 'data' ? this.#amf0Payload() : this.parserPacket.payload;
    if (this.#state === 'publishing') this.#handler.media(type, clock, payload);
    else if (this.#state === 'authorizing') this.#hold({ type, timestampMs: clock, payload });
  }

  #chunkStreamId(): number {
    const bytes = this.parserBuffer;
    if (this.parserBasicBytes === 1) return bytes.readUInt8(0) & 0x3f;
    return 64 + (this.parserBasicBytes === 2 ? bytes.readUInt8(1) : bytes.readUInt16LE(1));
  }

  #openChunkStream(fmt: number, cid: number): RtmpPacket {
    if (fmt >= 2) throw violation(`chunk stream ${cid} starts without a message header`);
    if (this.inPackets.size >= this.#limits.maxChunkStreams) {
      throw violation(`more than ${this.#limits.maxChunkStreams} chunk streams`);
    }
    const header = { fmt, cid, timestamp: 0, length: 0, type: 0, stream_id: 0 };
    const packet: RtmpPacket = { header, clock: 0, payload: EMPTY, capacity: 0, bytes: 0 };
    this.inPackets.set(cid, packet);
    return packet;
  }

  #checkLength({ header }: RtmpPacket): void {
    const max = this.#maxLength(header.type);
    if (header.length > max)
      throw violation(`a message of type ${header.type} with ${header.length} bytes, limit ${max}`);
    const maxPending = this.#maxPendingBytes();
    if (this.#pendingBytes + header.length > maxPending) {
      throw violation(`unfinished messages of more than ${maxPending} bytes`);
    }
  }

  #maxPendingBytes(): number {
    const { maxPendingBytesPublishing, maxPendingBytesBefore, maxHeldBytes } = this.#limits;
    if (this.#state === 'publishing') return maxPendingBytesPublishing;
    return this.#state === 'authorizing' ? maxHeldBytes : maxPendingBytesBefore;
  }

  #maxLength(type: number): number {
    const { maxMediaBytes, maxHeldBytes, maxDataBytes, maxCommandBytes, maxControlBytes } = this.#limits;
    switch (type) {
      case 8:
      case 9:
        if (this.#state === 'publishing') return maxMediaBytes;
        return this.#state === 'authorizing' ? Math.min(maxMediaBytes, maxHeldBytes) : 0;
      case 17:
      case 20:
        return maxCommandBytes;
      case 15:
      case 18:
        return maxDataBytes;
      case 22:
        return 0;
      default:
        return type <= 6 ? maxControlBytes : maxDataBytes;
    }
  }

  #amf0Payload(): Buffer {
    const { header, payload } = this.parserPacket;
    // The AMF3 variants of a message start with a format byte; publishers continue in AMF0.
    return header.type === 15 || header.type === 17 ? payload.subarray(1) : payload;
  }

  #abort(cid: number): void {
    const packet = this.inPackets.get(cid);
    if (packet === undefined || packet.bytes === 0) return;
    this.#pendingBytes -= packet.header.length;
    packet.bytes = 0;
    packet.payload = EMPTY;
    packet.capacity = 0;
  }

  #connect(transactionId: number, command: Amf0Value): void {
    if (this.#app !== undefined) throw violation('a second connect');
    const members: Amf0Object = command !== undefined && isAmf0Object(command) ? command : {};
    const { app, objectEncoding } = members;
    if (typeof app !== 'string') throw violation('connect without an app name');
    this.#app = app;
    this.sendWindowACK(WINDOW_ACK_BYTES);
    this.setPeerBandwidth(WINDOW_ACK_BYTES, 2);
    this.setChunkSize(this.outChunkSize);
    this.#send(encodeAmf0('_result', transactionId, ...connectReply(objectEncoding === 3 ? 3 : 0)));
  }

  #publish(name: Amf0Value): void {
    if (this.#app === undefined) throw violation('publish before connect');
    if (this.#state !== 'connecting') throw violation('a second publish on one connection');
    if (typeof name !== 'string') throw violation('publish without a stream name');
    this.streamId = this.parserPacket.header.stream_id;
    this.#state = 'authorizing';
    this.#handler.publishRequested(this.#app, name);
  }

  #refusePlay(): void {
    this.streamId = this.parserPacket.header.stream_id;
    this.reject('NetStream.Play.Failed', 'This server only takes publishers; play over HLS.');
    this.#handler.finished('the client wants to play');
  }

  #endStream(): void {
    if (this.#state === 'connecting' || this.#state === 'over') return;
    this.stop();
    this.#handler.finished('the publisher ended its stream');
  }

  #hold(message: HeldMessage): void {
    this.#held.push(message);
    this.#heldBytes += message.payload.length;
    const { maxHeldMessages, maxHeldBytes } = this.#limits;
    if (this.#held.length > maxHeldMessages || this.#heldBytes > maxHeldBytes) {
      throw violation('too much media before the publish was answered');
    }
  }

  #send(payload: Buffer): void {
    const header = { fmt: 0, cid: 3, timestamp: 0, length: payload.length, type: 20, stream_id: 0 };
    this.onOutputCallback(Rtmp.chunksCreate({ header, clock: 0, payload, capacity: payload.length, bytes: 0 }));
  }
}

function mediaType(messageType: number): MediaType {
  if (messageType === 8) return 'audio';
  return messageType === 9 ? 'video' : 'data';
}

function violation(what: string): AppError {
  return new AppError('BAD_REQUEST', `RTMP protocol violation: ${what}`);
}
