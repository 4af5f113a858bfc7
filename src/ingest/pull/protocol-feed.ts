import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import { addressLabel } from '../../remote/remote-url.ts';
import { UrlRotation } from '../../upstream/follow/url-rotation.ts';
import type { Clock } from '../../util/clock.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { HostAllowList } from './host-allow-list.ts';
import { nextPiece } from './next-piece.ts';
import { protocolInput } from './protocol-input.ts';
import { ProtocolStream } from './protocol-stream.ts';
import type { OpenStream, StreamFeed } from './stream-feed.ts';

const PROBE_EACH_MS = 30_000;
const PROBE_WITHIN_MS = 10_000;

/** What ffmpeg says, and what users are told; the first that fits. Nothing may tell where a name leads. */
const REASONS: readonly (readonly [said: RegExp, told: string])[] = [
  [/\b40[13]\b|unauthorized|forbidden|authenticat/i, 'it refuses the credentials'],
  [/\b404\b|not found|StreamNotFound/i, 'it has no such stream'],
  [/Invalid data found/i, 'it sends no stream that can be read'],
];
const SILENT_SOUND = 'Too many packets buffered for output stream';

/** Where to read, and who may. */
export interface ProtocolFeedOptions {
  /** rtsp(s), rtmp(s) or srt addresses in the order in which they are tried. */
  readonly urls: readonly string[];
  readonly hosts: HostAllowList;
  readonly binary: FfmpegBinary;
  readonly failuresBeforeNext: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Streams over rtsp(s), rtmp(s) and srt, read by an ffmpeg that makes a transport stream of them. It gets the checked address
 * of a listed host and can use that protocol only; but where an RTSP server redirects it to, nobody checks.
 */
export class ProtocolFeed implements StreamFeed {
  readonly rotation: UrlRotation;
  readonly #options: ProtocolFeedOptions;
  readonly #closing = new AbortController();
  readonly #stopProbing: () => void;
  /** Addresses that list sound and send none. */
  readonly #silent = new Set<string>();
  #probing: Promise<void> | undefined;

  constructor(options: ProtocolFeedOptions) {
    this.#options = options;
    const { urls, failuresBeforeNext, clock } = options;
    this.rotation = new UrlRotation({ urls, failuresBeforeNext, clock });
    this.#stopProbing = clock.every(PROBE_EACH_MS, () => {
      if (this.rotation.wantsProbe) this.#probing ??= this.#probe().finally(() => (this.#probing = undefined));
    });
  }

  get label(): string {
    return addressLabel(this.rotation.current.url);
  }

  open(signal: AbortSignal): Promise<OpenStream> {
    return this.#open(this.rotation.current.url, signal);
  }

  async close(): Promise<void> {
    this.#stopProbing();
    this.#closing.abort();
    await this.#probing;
  }

  async #open(url: string, signal: AbortSignal): Promise<OpenStream> {
    const { hosts, binary, logger } = this.#options;
    const label = addressLabel(url);
    const source = new URL(url);
    const address = await hosts.check(source.hostname);
    const input = protocolInput(source, address, !this.#silent.has(url));
    let told: string | undefined;
    const stream = new ProtocolStream({
      ...{ binaryPath: binary.path, input },
      onWarning: (line) => {
        logger.debug({ source: label, line }, 'ffmpeg on a remote source');
        told = REASONS.find(([said]) => said.test(line))?.[1] ?? told;
        if (line.includes(SILENT_SOUND)) this.#silent.add(url);
      },
    });
    if (signal.aborted) throw new AppError('UNAVAILABLE', 'the source is no longer wanted');
    await stream.start();
    return {
      isRecording: false,
      pieces: () => explained(stream.pieces(), () => `"${label}" cannot be pulled: ${told ?? UNKNOWN}`),
      close: () => stream.close(),
    };
  }

  /** Looks whether the first address works again. */
  async #probe(): Promise<void> {
    const { urls, clock, logger } = this.#options;
    const { signal } = this.#closing;
    const [url = ''] = urls;
    let stream: OpenStream | undefined;
    let works = false;
    try {
      stream = await this.#open(url, signal);
      const pieces = stream.pieces()[Symbol.asyncIterator]();
      works = (await nextPiece(pieces, { clock, signal, withinMs: PROBE_WITHIN_MS })) !== undefined;
    } catch (thrown) {
      logger.debug({ source: addressLabel(url), reason: reasonOf(thrown) }, 'the first address does not work yet');
    } finally {
      await stream?.close();
    }
    if (!signal.aborted) this.rotation.probed(works ? {} : undefined);
  }
}

const UNKNOWN = 'its server does not answer as it should';

async function* explained(pieces: AsyncIterable<Buffer>, reason: () => string): AsyncGenerator<Buffer> {
  try {
    yield* pieces;
  } catch {
    throw new AppError('UNAVAILABLE', reason());
  }
}
