import { UpstreamFailure } from '../../remote/upstream-failure.ts';
import type { FollowedPlaylist } from '../../upstream/follow/followed-playlist.ts';
import type { FollowedSegment } from '../../upstream/follow/playlist-snapshot.ts';
import type { Clock } from '../../util/clock.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { PlaylistPosition } from './playlist-position.ts';
import { ProtectedMediaError } from './protected-media.ts';
import type { SegmentBytes } from './segment-bytes.ts';
import { CONTAINER_PROOF_BYTES, containerOf, type SegmentContainer } from './segment-container.ts';
import { MIN_LEG_MS, type SegmentDemuxer } from './segment-demuxer.ts';
import type { SpliceLane } from './splice-lane.ts';

/** A segment that is not there is asked for once more after this, if it is still listed. */
const MISSING_RETRY_MS = 1_200;
const TROUBLE_WAIT_MS = 500;
/** Bytes that are taken apart before it is looked whether more may be. */
const STEP_BYTES = 128 * 1024;

interface SegmentReaderOptions {
  readonly followed: Pick<FollowedPlaylist, 'current' | 'next'>;
  /** Called with each segment that came and could not be used. */
  readonly onUseless: (segment: FollowedSegment) => void;
  readonly bytes: Pick<SegmentBytes, 'init' | 'pieces'>;
  readonly position: PlaylistPosition;
  readonly lane: SpliceLane;
  readonly demuxer: (container: SegmentContainer, begin: SegmentReader['begin']) => SegmentDemuxer;
  /** Resolves when more may be read. */
  readonly room: () => Promise<void>;
  /** Called with what was left out to stay at the live edge, ms. */
  readonly onSkip: (ms: number) => void;
  /** Called when something went wrong, see `lastError`. */
  readonly onTrouble: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Reads one playlist segment by segment into a lane. A segment that cannot be had or used is left out after its retries;
 * the next one goes on.
 */
export class SegmentReader {
  readonly #options: SegmentReaderOptions;
  #demuxer: SegmentDemuxer | undefined;
  #container: SegmentContainer | undefined;
  #era: number | undefined;
  #breaks = true;
  #legAtMs = -Infinity;
  #segments = 0;
  #failedSegments = 0;
  #lastError: string | undefined;

  constructor(options: SegmentReaderOptions) {
    this.#options = options;
  }

  /** Segments that were read. */
  get segments(): number {
    return this.#segments;
  }

  /** Segments that could not be had or used. */
  get failedSegments(): number {
    return this.#failedSegments;
  }

  /** What went wrong last; `undefined` once all is well again. */
  get lastError(): string | undefined {
    return this.#lastError;
  }

  /**
   * Reads until the playlist has ended, or the signal aborts.
   * @throws ProtectedMediaError if the source cannot be decoded at all
   */
  async run(): Promise<void> {
    const { signal, lane } = this.#options;
    const cut = (): void => void this.#demuxer?.close();
    signal.addEventListener('abort', cut, { once: true });
    try {
      for (let segment = await this.#next(); segment !== undefined; segment = await this.#next()) {
        await this.#read(segment);
        this.#options.position.passed(segment);
      }
      if (!signal.aborted) await this.#demuxer?.end();
      lane.end();
    } finally {
      signal.removeEventListener('abort', cut);
      await this.#demuxer?.close();
    }
  }

  /** Begins a leg in the lane, once a second at most. */
  readonly begin = async (kinds: Parameters<SpliceLane['begin']>[0]): Promise<void> => {
    const { clock, lane, signal } = this.#options;
    const waitMs = this.#legAtMs + MIN_LEG_MS - clock.nowMs();
    if (waitMs > 0) await clock.wait(waitMs, signal);
    this.#legAtMs = clock.nowMs();
    lane.begin(kinds);
  };

  /** The next segment, once it is listed; `undefined` if none comes any more. */
  async #next(): Promise<FollowedSegment | undefined> {
    const { followed, position, signal, clock, onSkip } = this.#options;
    while (!signal.aborted) {
      const snapshot = followed.current();
      const skippedMs = position.skippedMs;
      const segment = snapshot && position.next(snapshot);
      if (position.skippedMs > skippedMs) {
        this.#breaks = true;
        onSkip(position.skippedMs - skippedMs);
      }
      if (segment !== undefined) return segment;
      if (snapshot?.ended === true) return undefined;
      try {
        await followed.next(snapshot?.version ?? -1, signal);
      } catch (thrown) {
        this.#note(thrown);
        await clock.wait(TROUBLE_WAIT_MS, signal);
      }
    }
    return undefined;
  }

  async #read(segment: FollowedSegment): Promise<void> {
    const { followed, clock, signal, logger, onUseless } = this.#options;
    if (segment.segment.isGap) return;
    try {
      await this.#feed(segment).catch(async (thrown: unknown) => {
        if (!isMissing(thrown)) throw thrown;
        await clock.wait(MISSING_RETRY_MS, signal);
        const listed = followed.current()?.segments.find(({ number }) => number === segment.number);
        if (listed === undefined || signal.aborted) throw thrown;
        await this.#feed(listed);
      });
      if (signal.aborted) return;
      this.#segments += 1;
      this.#lastError = undefined;
    } catch (thrown) {
      if (signal.aborted) return;
      if (thrown instanceof ProtectedMediaError) throw thrown;
      this.#failedSegments += 1;
      this.#note(thrown);
      logger.warn({ segment: segment.number, reason: this.#lastError }, 'a remote segment is left out');
      if (!(thrown instanceof UpstreamFailure)) onUseless(segment);
    }
  }

  #note(thrown: unknown): void {
    if (this.#options.signal.aborted) return;
    this.#lastError = reasonOf(thrown);
    this.#options.onTrouble();
  }

  /** Takes a segment apart as it comes. */
  async #feed(segment: FollowedSegment): Promise<void> {
    const { bytes, room, signal } = this.#options;
    const init = await bytes.init(segment);
    let demuxer: SegmentDemuxer | undefined;
    let head: Buffer = Buffer.alloc(0);
    try {
      for await (const piece of inSteps(bytes.pieces(segment))) {
        await room();
        if (signal.aborted) return;
        head = head.length === 0 ? piece : Buffer.concat([head, piece]);
        if (demuxer === undefined && head.length < CONTAINER_PROOF_BYTES) continue;
        demuxer ??= await this.#begin(segment, init, head);
        await demuxer.push(head);
        head = Buffer.alloc(0);
      }
      if (demuxer === undefined) throw new AppError('BAD_MEDIA', `a segment has ${head.length} bytes only`);
    } catch (thrown) {
      await demuxer?.endSegment().catch(() => undefined);
      throw thrown;
    }
    await demuxer.endSegment();
  }

  async #begin({ era, segment }: FollowedSegment, init: Buffer | undefined, head: Buffer): Promise<SegmentDemuxer> {
    const container = init === undefined ? containerOf(head) : 'fmp4';
    if (this.#demuxer === undefined || this.#container !== container) {
      await this.#demuxer?.end();
      this.#demuxer = this.#options.demuxer(container, this.begin);
      this.#container = container;
      this.#breaks = true;
    }
    this.#demuxer.beginSegment({ breaks: this.#breaks || era !== this.#era, init, durationMs: segment.durationMs });
    this.#era = era;
    this.#breaks = false;
    return this.#demuxer;
  }
}

/** The same bytes in pieces that are small enough for one step. */
async function* inSteps(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; at += STEP_BYTES) yield piece.subarray(at, at + STEP_BYTES);
  }
}

/** True if the server says that it is not there: it may have come too early, or too late. */
function isMissing(thrown: unknown): boolean {
  return thrown instanceof UpstreamFailure && (thrown.status === 404 || thrown.status === 410);
}
