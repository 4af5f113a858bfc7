import { parseContentRange } from '../../remote/content-range.ts';
import type { TurnOptions } from '../../remote/limiter.ts';
import { type RemoteResponse, tooLarge } from '../../remote/remote-response.ts';
import { UpstreamFailure } from '../../remote/upstream-failure.ts';
import { Backoff } from '../../util/backoff.ts';
import type { Clock } from '../../util/clock.ts';
import type { GrowingBytes } from './growing-bytes.ts';
import { type MediaItem, mediaLimits } from './media-item.ts';
import type { SourceFetcher } from './source-fetcher.ts';

const MAX_RETRIES = 3;
const RETRY_DELAYS = { firstMs: 250, maxMs: 1_000, resetAfterMs: Infinity };
/** No further try once so many times the time for one try has passed. */
const TOTAL_FACTOR = 2;
/** What a server sends of a file before the part that was asked for is read and dropped up to so much. */
const MAX_SKIPPED_BYTES = 64 * 1024 * 1024;

/** One fetch. */
export interface DownloadOptions {
  /** The newest that is known of it. */
  readonly item: () => MediaItem;
  readonly fetcher: SourceFetcher;
  readonly clock: Clock;
  /** Where the bytes go. */
  readonly into: GrowingBytes;
  readonly priority: TurnOptions['priority'];
  readonly signal: AbortSignal;
  /** Called when the answer's headers are there. */
  readonly onHead: (head: { size: number | undefined; contentType: string | undefined }) => void;
  /** Called after so many bytes have come; what it throws ends the fetch. */
  readonly onBytes: (bytes: number) => void;
  /** Called before each further try. */
  readonly onRetry: () => void;
}

/** What part of an answer's body is wanted. */
interface Wanted {
  readonly skip: number;
  /** `undefined`: until it ends. */
  readonly length: number | undefined;
}

/** The version of a file. */
interface Version {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** Of the whole file, if known. */
  readonly sizeBytes: number | undefined;
}

/**
 * Fetches something, with up to three further tries if the server is overloaded, too slow, or hangs up. It goes on where it
 * broke if the server can, and starts anew if that is not possible and nobody has read any of it.
 */
export class MediaDownload {
  readonly #options: DownloadOptions;
  readonly #backoff = new Backoff(RETRY_DELAYS);
  /** Of what has come so far. */
  #version: Version | undefined;

  constructor(options: DownloadOptions) {
    this.#options = options;
  }

  /**
   * Resolves when all bytes have come.
   * @throws UpstreamFailure
   */
  async run(): Promise<void> {
    const { clock, signal, item, onRetry } = this.#options;
    const startMs = clock.nowMs();
    for (let retries = 0; ; retries++) {
      const tried = item();
      try {
        await this.#try(tried);
        return;
      } catch (thrown) {
        const failure = this.#options.fetcher.failed(tried.target, thrown);
        const isLate = clock.nowMs() - startMs > TOTAL_FACTOR * mediaLimits(tried).timeoutMs;
        if (signal.aborted || isLate || retries === MAX_RETRIES || !this.#mayRetry(failure, tried)) throw failure;
      }
      await clock.wait(this.#backoff.nextDelayMs(0), signal);
      onRetry();
    }
  }

  #mayRetry(failure: UpstreamFailure, tried: MediaItem): boolean {
    if (failure.isTemporary) return true;
    const isMoved = this.#options.item().target.url.href !== tried.target.url.href;
    return isMoved && failure.hasRunOut;
  }

  async #try(item: MediaItem): Promise<void> {
    const { fetcher, into, priority, signal } = this.#options;
    const { maxBytes, timeoutMs } = mediaLimits(item);
    if ((item.byteRange?.length ?? 0) > maxBytes) throw tooLarge(maxBytes);
    const skippable = item.byteRange === undefined ? 0 : Math.min(item.byteRange.offset, MAX_SKIPPED_BYTES);
    const response = await fetcher.open(item.target, {
      ...{ headers: this.#rangeHeaders(item), maxBytes: maxBytes + skippable, timeoutMs, priority, signal },
    });
    try {
      const wanted = this.#wanted(item, response);
      const whole = wanted.length === undefined ? undefined : into.length + wanted.length;
      if ((whole ?? 0) > maxBytes) throw tooLarge(maxBytes);
      this.#options.onHead({ size: whole, contentType: response.header('content-type') });
      await this.#read(response, wanted);
    } finally {
      response.close();
    }
  }

  #rangeHeaders({ byteRange }: MediaItem): Record<string, string> {
    const at = this.#options.into.length;
    if (at === 0 && byteRange === undefined) return {};
    const start = (byteRange?.offset ?? 0) + at;
    const end = byteRange === undefined ? '' : byteRange.offset + byteRange.length - 1;
    const etag = this.#version?.etag;
    // A weak tag cannot guard a range (RFC 9110, 13.1.5).
    const isGuarded = at > 0 && etag !== undefined && !etag.startsWith('W/');
    return { range: `bytes=${start}-${end}`, ...(isGuarded && { 'if-range': etag }) };
  }

  /** Compares the answer with what was asked for. */
  #wanted({ byteRange }: MediaItem, response: RemoteResponse): Wanted {
    const { into } = this.#options;
    if (response.status === 206) return this.#wantedOfPart(byteRange, response);
    // The whole, although a part was asked for: it does not fit to what is there already.
    if (into.length > 0 && !into.reset()) throw unfit('the server does not go on where it broke');
    const { lengthBytes } = response;
    this.#version = versionOf(response, lengthBytes);
    if (byteRange === undefined) return { skip: 0, length: lengthBytes };
    if (byteRange.offset > MAX_SKIPPED_BYTES) throw unfit('the server does not serve parts of files');
    return { skip: byteRange.offset, length: byteRange.length };
  }

  #wantedOfPart(byteRange: MediaItem['byteRange'], response: RemoteResponse): Wanted {
    const { into } = this.#options;
    const range = parseContentRange(response.header('content-range'));
    const start = (byteRange?.offset ?? 0) + into.length;
    const end = byteRange === undefined ? (range?.sizeBytes ?? 0) - 1 : byteRange.offset + byteRange.length - 1;
    if (range?.start !== start || range.end !== end) throw unfit('the server sends another part than was asked for');
    const version = versionOf(response, range.sizeBytes);
    if (into.length > 0 && !isSame(this.#version, version)) {
      // Asked for from the start the next time, as nothing is left of what was there.
      if (into.reset()) throw new UpstreamFailure('network', 'the file has changed on its server meanwhile');
      throw unfit('the file has changed on its server meanwhile');
    }
    this.#version = version;
    return { skip: 0, length: end - start + 1 };
  }

  async #read(response: RemoteResponse, { skip, length }: Wanted): Promise<void> {
    const { into, onBytes } = this.#options;
    let toSkip = skip;
    let left = length ?? Infinity;
    for await (const piece of response.pieces()) {
      const wanted = piece.subarray(Math.min(toSkip, piece.length)).subarray(0, left);
      toSkip = Math.max(0, toSkip - piece.length);
      into.append(wanted);
      onBytes(wanted.length);
      left -= wanted.length;
      if (into.state !== 'loading') return;
      // Only a body that holds more than was asked for is cut off, so that the connection can be used again.
      if (left === 0 && wanted.length < piece.length) return;
    }
    if (length !== undefined && left > 0) throw new UpstreamFailure('network', `the answer ended ${left} bytes early`);
  }
}

function versionOf(response: RemoteResponse, sizeBytes: number | undefined): Version {
  return { etag: response.header('etag'), lastModified: response.header('last-modified'), sizeBytes };
}

/** True if both are of the same file: nothing differs, and its size or its tag says so. */
function isSame(before: Version | undefined, now: Version): boolean {
  if (before === undefined) return false;
  const agrees = <T>(one: T | undefined, other: T | undefined): boolean =>
    one === undefined || other === undefined || one === other;
  const isKnown = before.etag !== undefined || before.sizeBytes !== undefined;
  return (
    isKnown &&
    agrees(before.sizeBytes, now.sizeBytes) &&
    agrees(before.etag, now.etag) &&
    agrees(before.lastModified, now.lastModified)
  );
}

function unfit(reason: string): UpstreamFailure {
  return new UpstreamFailure('bad-answer', `${reason}; it cannot be fetched`);
}
