/** What one WebSocket publisher may do, and how many of them there may be. */
export interface WsLimits {
  readonly maxConnections: number;
  readonly maxMessageBytes: number;
  /** Received media that waits to be read; above it the socket is not read. */
  readonly maxWaitingBytes: number;
  /** Time from the connection to the first complete init, authorisation included. */
  readonly initWithinMs: number;
  /** Longest silence between two messages. */
  readonly idleMs: number;
  /** Longest time between two complete fragments, however many bytes come. */
  readonly fragmentWithinMs: number;
  /** Time that a peer gets to answer a close frame before its socket is destroyed. */
  readonly closeWithinMs: number;
  readonly statsEachMs: number;
  readonly pingEachMs: number;
}

/** Room for a 4K publisher, and for keyframes that are 20 s apart. */
export const DEFAULT_WS_LIMITS: WsLimits = Object.freeze({
  maxConnections: 200,
  maxMessageBytes: 16 * 1024 * 1024,
  maxWaitingBytes: 8 * 1024 * 1024,
  initWithinMs: 10_000,
  idleMs: 15_000,
  fragmentWithinMs: 30_000,
  closeWithinMs: 1_000,
  statsEachMs: 2_000,
  pingEachMs: 5_000,
});
