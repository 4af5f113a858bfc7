/** The parts of node-media-server 4.4.3 that are used; the package has no types of its own. */
declare module 'node-media-server/src/protocol/rtmp.js' {
  /** The state of one chunk stream (RTMP 1.0, 5.3). */
  export interface RtmpPacket {
    header: { fmt: number; cid: number; timestamp: number; length: number; type: number; stream_id: number };
    /** Absolute timestamp of the message in ms. */
    clock: number;
    payload: Buffer;
    capacity: number;
    /** Bytes of the message that have arrived. */
    bytes: number;
  }

  /** One connection's handshake, chunk parser and command encoder; touches no socket and no global state. */
  export default class Rtmp {
    parserBuffer: Buffer;
    parserBasicBytes: number;
    parserPacket: RtmpPacket;
    inPackets: Map<number, RtmpPacket>;
    inChunkSize: number;
    outChunkSize: number;
    handshakeState: number;
    streamApp: string;
    streamName: string;
    streamId: number;
    objectEncoding: number;
    flv: unknown;
    onOutputCallback: (bytes: Buffer) => void;

    parserData(bytes: Buffer): string | null;
    chunkMessageHeaderRead(): number;
    packetParse(): void;
    packetAlloc(): void;
    packetHandler(): void;
    controlHandler(): void;
    eventHandler(): void;
    invokeHandler(): void;
    dataHandler(): void;
    sendACK(size: number): void;
    sendWindowACK(size: number): void;
    setPeerBandwidth(size: number, type: number): void;
    setChunkSize(size: number): void;
    sendStreamStatus(event: number, id: number): void;
    sendStatusMessage(streamId: number, level: string, code: string, description: string): void;
    respondCreateStream(transactionId: number): void;

    static chunksCreate(packet: RtmpPacket): Buffer;
  }
}

declare module 'node-media-server/src/core/logger.js' {
  /** The logger that the whole package shares. */
  const logger: { log: (message: string, level?: string) => void };
  export default logger;
}
