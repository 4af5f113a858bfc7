import type { Upstream } from '../../upstream/follow/upstream.ts';
import type { UrlRotation } from '../../upstream/follow/url-rotation.ts';
import type { Closable } from '../../util/closer.ts';

/** A connection that gives an MPEG transport stream. */
export interface OpenStream extends Closable {
  /** True if it has an end: it then runs in real time from its start to that end, and nothing of it is left out. */
  readonly isRecording: boolean;
  /**
   * Its bytes as they come, as fast as they are asked for. To be taken once.
   * @throws Error if it breaks; what is no AppError may tell where the source is
   */
  pieces(): AsyncIterable<Buffer>;
}

/** Where a continuous stream comes from. Whoever reads it closes it at the end. */
export interface StreamFeed extends Closable {
  /** Which address is used; whoever reads the stream reports to it. */
  readonly rotation: UrlRotation;
  /** The address at present, without credentials and query. */
  readonly label: string;
  /**
   * Connects to the address at present.
   * @throws AppError if that does not work, or `signal` aborts
   */
  open(signal: AbortSignal): Promise<OpenStream>;
}

/** Transport streams over http and https, fetched by this program itself. Releases the upstream at the end. */
export function httpFeed(upstream: Upstream): StreamFeed {
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
    close: () => {
      upstream.release();
      return Promise.resolve();
    },
  };
}
