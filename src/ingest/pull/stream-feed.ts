import type { Upstream } from '../../upstream/follow/upstream.ts';
import type { UrlRotation } from '../../upstream/follow/url-rotation.ts';

/** A connection that gives an MPEG transport stream. */
export interface OpenStream {
  /** True if it has an end: it then runs in real time from its start to that end, and nothing of it is left out. */
  readonly isRecording: boolean;
  /**
   * Its bytes as they come, as fast as they are asked for. To be taken once.
   * @throws Error if it breaks; `failureOf()` tells why
   */
  pieces(): AsyncIterable<Buffer>;
  /** Ends the connection; idempotent. */
  close(): Promise<void>;
}

/** Where a continuous stream comes from. */
export interface StreamFeed {
  /** Which address is used; whoever reads the stream reports to it. */
  readonly rotation: UrlRotation;
  /** The address at present, without credentials and query. */
  readonly label: string;
  /**
   * Connects to the address at present.
   * @throws AppError if that does not work, or `signal` aborts
   */
  open(signal: AbortSignal): Promise<OpenStream>;
  /** Why a stream broke, for users and logs. */
  failureOf(thrown: unknown): string;
}

/** Transport streams over http and https, fetched by this program itself. The upstream stays the caller's. */
export function httpFeed(upstream: Pick<Upstream, 'rotation' | 'openStream' | 'status'>): StreamFeed {
  return {
    rotation: upstream.rotation,
    get label() {
      return upstream.status().address;
    },
    async open(signal) {
      const response = await upstream.openStream(signal);
      return {
        isRecording: response.lengthBytes !== undefined,
        pieces: () => response.pieces(),
        close: () => {
          response.close();
          return Promise.resolve();
        },
      };
    },
    failureOf: () => 'the connection broke',
  };
}
