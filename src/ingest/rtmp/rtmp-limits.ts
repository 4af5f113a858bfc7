/** What one RTMP server grants its publishers. */
export interface RtmpLimits {
  /** Connections at a time, publishing or not. */
  readonly maxConnections: number;
  /** From the connection to an accepted publish. */
  readonly publishTimeoutMs: number;
  /** Silence, or bytes without any media, that end a publisher. Must be well above 4 s: a frozen OBS goes on after that. */
  readonly idleTimeoutMs: number;
  /** How long a refused or ended client may take to read the answer. */
  readonly lingerMs: number;
  /** A frame that has waited this long for its successor is handed out with the last known duration. */
  readonly stallFlushMs: number;
  /** Size of one audio or video message. */
  readonly maxMediaBytes: number;
  /** Size of one data message (metadata). */
  readonly maxDataBytes: number;
  /** Size of one command message. */
  readonly maxCommandBytes: number;
  /** Size of one protocol control message. */
  readonly maxControlBytes: number;
  /** All messages of a connection that are announced and not complete yet: before publishing and while publishing. */
  readonly maxPendingBytesBefore: number;
  readonly maxPendingBytesPublishing: number;
  /** Media that came with the publish command and waits for its authorization. */
  readonly maxHeldBytes: number;
  readonly maxHeldMessages: number;
  /** Chunk streams of a connection. */
  readonly maxChunkStreams: number;
  /** Commands of a connection over its whole life. */
  readonly maxCommands: number;
  /** Bytes that wait to be read by the client. */
  readonly maxOutputBytes: number;
  /** Unusable media messages of a connection before it is cut. */
  readonly maxBadMessages: number;
}

/** What is granted unless the configuration says otherwise. */
export const DEFAULT_RTMP_LIMITS: RtmpLimits = Object.freeze({
  maxConnections: 200,
  publishTimeoutMs: 10_000,
  idleTimeoutMs: 15_000,
  lingerMs: 500,
  stallFlushMs: 1000,
  maxMediaBytes: 8 * 1024 * 1024,
  maxDataBytes: 64 * 1024,
  maxCommandBytes: 16 * 1024,
  maxControlBytes: 64,
  maxPendingBytesBefore: 256 * 1024,
  maxPendingBytesPublishing: 32 * 1024 * 1024,
  maxHeldBytes: 2 * 1024 * 1024,
  maxHeldMessages: 1024,
  maxChunkStreams: 16,
  maxCommands: 64,
  maxOutputBytes: 256 * 1024,
  maxBadMessages: 100,
});
