/** What one client, or all together, may take of the server. */
export const HTTP_LIMITS = Object.freeze({
  maxBodyBytes: 64 * 1024,
  /** Of a request, all together. */
  maxHeaderBytes: 16 * 1024,
  /** The head of a request must have arrived by then, ... */
  headersTimeoutMs: 10_000,
  /** ... and all of it by then. */
  requestTimeoutMs: 15_000,
  /** How often requests are looked at for that. */
  requestCheckMs: 5_000,
  /** A connection must be encrypted by then. */
  handshakeTimeoutMs: 10_000,
  /** An idle connection is kept longer than proxies keep theirs (60 s), so that they never meet a closing one. */
  keepAliveTimeoutMs: 72_000,
  /** A connection on which an answer makes no progress is cut. */
  stalledTimeoutMs: 30_000,
  /** What a connection gets on top of the longest time that an answer may be held back. */
  holdMarginMs: 15_000,
  maxConnections: 20_000,
  /** Of one address; this machine's own are not counted, since a proxy on it carries everybody. */
  maxConnectionsPerAddress: 4_096,
  /** Requests at a time on an HTTP/2 connection: a page has a few dozen. */
  maxConcurrentStreams: 128,
  /** What an HTTP/2 connection may hold in headers and frames, in MB. */
  maxSessionMemoryMb: 10,
  /** Headers of an HTTP/2 request. */
  maxHeaderPairs: 64,
  /** Viewers of a popular stream all come at once. */
  backlog: 4_096,
});

/** How long a connection may make no progress while answers may be held back for `longestHoldMs`. */
export function stalledTimeoutMs(longestHoldMs: number): number {
  return Math.max(HTTP_LIMITS.stalledTimeoutMs, longestHoldMs + HTTP_LIMITS.holdMarginMs);
}
