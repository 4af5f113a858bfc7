import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import { FfmpegChild } from '../../ffmpeg/ffmpeg-child.ts';
import { BoxStream } from '../../media/cmaf/box-stream.ts';
import { readTrackInit } from '../../media/cmaf/init-reader.ts';
import type { TrackInit } from '../../media/fragment.ts';
import { type Deferred, deferred } from '../../util/deferred.ts';
import { AppError, type ErrorCode, reasonOf, toError } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { FfmpegInput } from '../source/media-source.ts';
import type { Title } from '../source/title.ts';
import type { VodRendition } from '../vod-rendition.ts';
import { headCommand, headSegmenter, silentInit } from './head-command.ts';
import type { HeadCommand } from './head-time.ts';
import { type HeadSegment, MAX_HEAD_SEGMENTS, MAX_SEGMENT_BYTES, type SegmentRange } from './segment-range.ts';
import { LateStartError } from './video-segmenter.ts';

/** How long ffmpeg has to end by itself when it is asked to. */
const STOP_GRACE_MS = 1_000;
const STREAM_LIMITS = Object.freeze({
  maxInitBytes: 256 * 1024,
  maxMoofBytes: 2 * 1024 * 1024,
  maxFragmentBytes: MAX_SEGMENT_BYTES,
  maxSkippedBytes: 1024 * 1024,
});
/** What ffmpeg says when it is the source that is at fault. */
const BAD_SOURCE = /Invalid data found|moov atom not found|could not find codec|Error while decoding|not on whitelist/i;
/** What ffmpeg says when the source cannot be read, or not further; it may then exit as if that were the end. */
const CUT_OFF = /Input\/output error|Stream ends prematurely|timed out|Server returned/i;

/** What a head makes of what. */
export interface HeadOptions extends SegmentRange {
  readonly binary: FfmpegBinary;
  readonly title: Title;
  readonly rendition: VodRendition;
  /** Takes each segment, in order; must not throw. The bytes are its own. */
  readonly onSegment: (segment: HeadSegment) => void;
  readonly logger: Logger;
}

/** How a head ended. */
export interface HeadEnd {
  /** `early`: without a fault, but the source ended before the last segment that was wanted. */
  readonly ended: 'complete' | 'early' | 'closed' | 'failed';
  /** The last segment that it made. */
  readonly lastIndex: number | undefined;
  /** For people, and what kind of fault it is; given for `failed`. */
  readonly reason?: string;
  readonly code?: ErrorCode;
}

/**
 * One ffmpeg that makes a run of segments of one rendition. Whichever head makes a segment, its frames, times and init are
 * the same. Memory: the segment in progress. One life: it cannot be started again.
 */
export class Head {
  /** The rendition's init; known before the first segment. Rejects with AppError if the head ends before. */
  readonly init: Promise<TrackInit>;
  /** Resolves when ffmpeg is gone; no segment comes after that. Never rejects. */
  readonly done: Promise<HeadEnd>;
  readonly #options: HeadOptions;
  readonly #init: Deferred<TrackInit> = deferred<TrackInit>();
  readonly #done: Deferred<HeadEnd> = deferred<HeadEnd>();
  #child: FfmpegChild | undefined;
  #started = false;
  #paused = false;
  #closed = false;
  #lastIndex: number | undefined;

  /** @throws TypeError for no segments, more than `MAX_HEAD_SEGMENTS`, or some that the title does not have. */
  constructor(options: HeadOptions) {
    const { first, end, title } = options;
    const count = end - first;
    if (first < 0 || count < 1 || count > MAX_HEAD_SEGMENTS || end >= title.plan.boundaries.length) {
      throw new TypeError(`a head cannot make the segments from ${first} to ${end}`);
    }
    this.#options = options;
    this.init = this.#init.promise;
    this.done = this.#done.promise;
  }

  /** Starts ffmpeg; how that went is told by `init` and `done`. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    void this.#run();
  }

  /** Takes no more output, so that ffmpeg waits; a segment or two may still come. */
  pause(): void {
    this.#paused = true;
    this.#child?.pauseOutput();
  }

  /** Goes on. */
  resume(): void {
    this.#paused = false;
    this.#child?.resumeOutput();
  }

  /** Ends ffmpeg, by force if need be; resolves when it is gone. The segment in progress is lost. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    if (!this.#started) this.#end({ ended: 'closed' });
    await this.#child?.stop(STOP_GRACE_MS);
    await this.done;
  }

  async #run(): Promise<void> {
    try {
      let end = await this.#open(false);
      // An index can be wrong about where a seek ends; reading from further back costs time, but misses nothing.
      if (end === 'missed') end = await this.#open(true);
      this.#end(end === 'missed' ? this.#ranOut() : end);
    } catch (thrown) {
      const code = thrown instanceof AppError ? thrown.code : 'TRANSCODER_FAILED';
      this.#end(this.#isClosed() ? { ended: 'closed' } : { ended: 'failed', reason: reasonOf(thrown), code });
    }
  }

  async #open(careful: boolean): Promise<Omit<HeadEnd, 'lastIndex'> | 'missed'> {
    const { title, rendition } = this.#options;
    const command = headCommand({ ...this.#options, careful });
    const { fromTicks: ticks } = command;
    const from = ticks === undefined ? undefined : { ticks, endTicks: title.plan.boundaries.at(-1) ?? 0 };
    const input = await title.source.openInput({ track: rendition.kind, from });
    try {
      return await this.#attempt(input, command, careful);
    } finally {
      input.release();
    }
  }

  /** One child from its start to its end; `missed` if it gave no segment since it began too late in the source. */
  async #attempt(
    input: FfmpegInput,
    commandLine: HeadCommand,
    careful: boolean,
  ): Promise<Omit<HeadEnd, 'lastIndex'> | 'missed'> {
    if (this.#closed) return { ended: 'closed' };
    const { binary, end, title, rendition, logger } = this.#options;
    const boxes = new BoxStream(STREAM_LIMITS);
    const segmenter = headSegmenter({ ...this.#options, careful }, (segment) => this.#emit(segment));
    let fault: unknown;
    let wasCutOff = false as boolean;
    let initBytes: Buffer | undefined;
    let hasInit = false as boolean;
    const child = new FfmpegChild({
      ...{ binaryPath: binary.path, source: input },
      commandLine,
      onOutput: (chunk) => {
        if (fault !== undefined || segmenter.next === end) return;
        try {
          for (const { type, bytes } of boxes.push(chunk)) {
            if (type === 'init') initBytes = bytes;
            if (!hasInit && initBytes !== undefined) hasInit = this.#read(initBytes, type === 'fragment');
            if (type === 'fragment') segmenter.push(bytes);
          }
        } catch (thrown) {
          fault = thrown;
        }
        if (fault !== undefined || segmenter.next === end) void child.kill();
      },
      onWarning: (line) => {
        wasCutOff ||= CUT_OFF.test(line);
        logger.debug({ title: title.source.label, rendition: rendition.name, line }, 'ffmpeg says');
      },
    });
    this.#child = child;
    if (this.#paused) child.pauseOutput();
    const { failure } = await this.#exitOf(child);
    if (segmenter.next === end) return { ended: 'complete' };
    if (this.#isClosed()) return { ended: 'closed' };
    if (fault instanceof LateStartError && !careful) return 'missed';
    const cut = input.fault?.();
    if (cut !== undefined) throw cut;
    if (fault !== undefined) throw toError(fault);
    if (wasCutOff) throw new AppError('UNAVAILABLE', 'the source could not be read to its end; try again later');
    if (failure !== undefined) {
      throw new AppError(BAD_SOURCE.test(failure) ? 'BAD_MEDIA' : 'TRANSCODER_FAILED', failure);
    }
    const silence = hasInit ? undefined : silentInit(rendition);
    if (silence !== undefined) this.#describe(silence);
    if (hasInit || silence !== undefined) segmenter.finish();
    if (segmenter.next === end) return { ended: 'complete' };
    return this.#lastIndex === undefined && !careful ? 'missed' : this.#ranOut();
  }

  async #exitOf(child: FfmpegChild): Promise<{ failure: string | undefined }> {
    await child.start();
    return child.done;
  }

  /** A local file that ends early is as it is; what comes from the network may have been cut off on its way. */
  #ranOut(): Omit<HeadEnd, 'lastIndex'> {
    if (this.#options.title.source.kind === 'file') return { ended: 'early' };
    return { ended: 'failed', reason: 'the source ended early', code: 'UNAVAILABLE' };
  }

  /** True if this is an init; one that cannot be read is a fault only if it is needed. */
  #read(bytes: Buffer, isNeeded: boolean): boolean {
    try {
      this.#describe(readTrackInit(bytes));
      return true;
    } catch (thrown) {
      if (isNeeded) throw thrown;
      return false;
    }
  }

  #describe(init: TrackInit): void {
    const { rendition, logger } = this.#options;
    if (init.codec !== rendition.codec) {
      logger.warn(
        { rendition: rendition.name, announced: rendition.codec, codec: init.codec },
        'a rendition has another codec than its playlist says',
      );
    }
    this.#init.resolve(init);
  }

  #emit(segment: HeadSegment): void {
    if (this.#closed) return;
    this.#lastIndex = segment.index;
    this.#options.onSegment(segment);
  }

  /** Asked for anew: it may have changed while somebody waited. */
  #isClosed(): boolean {
    return this.#closed;
  }

  #end(end: Omit<HeadEnd, 'lastIndex'>): void {
    const code = end.code ?? (end.ended === 'early' ? 'GONE' : 'TRANSCODER_FAILED');
    const reason = end.reason ?? (end.ended === 'early' ? 'the source ends before this segment' : 'it was stopped');
    this.#init.reject(new AppError(code, `there is no init: ${reason}`));
    this.#done.resolve({ ...end, lastIndex: this.#lastIndex });
  }
}
