import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { DemuxedFrame } from '../fmp4-demuxer.ts';
import { isTimeBreak } from './time-break.ts';
import { sameProgram, type TsProgram } from './ts-program.ts';
import { TsRemuxer } from './ts-remuxer.ts';
import { ticksBetween } from './ts-times.ts';

/** An ffmpeg that takes no bytes, gives no frame of them or does not end within this is stuck, ms. */
export const STUCK_MS = 8_000;

interface TsLegOptions {
  readonly binary: FfmpegBinary;
  readonly program: TsProgram;
  readonly onFrames: (frames: readonly DemuxedFrame[]) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One ffmpeg for a stretch of segments whose times and streams go on; one that is stuck is killed. */
export class TsLeg {
  readonly program: TsProgram;
  readonly #options: TsLegOptions;
  readonly #remuxer: TsRemuxer;
  #nextTicks: number | undefined;
  /** Since when it has had bytes and given no frame. */
  #fruitlessSinceMs: number | undefined;
  #isOver = false;

  /** @throws as `TsRemuxer` */
  constructor(options: TsLegOptions) {
    const { binary, program, onFrames, logger } = options;
    this.program = program;
    this.#options = options;
    this.#remuxer = new TsRemuxer({
      ...{ binary, program },
      onFrames: (frames) => {
        this.#fruitlessSinceMs = undefined;
        onFrames(frames);
      },
      onWarning: (line) => logger.debug({ line }, 'ffmpeg on a remote segment'),
    });
    void this.#remuxer.done.then((error) => {
      this.#isOver = true;
      if (error !== undefined) logger.warn({ reason: error.message }, 'a stretch of a remote source ended early');
    });
  }

  /** True if a segment with these streams, beginning at this time (ticks of 90 kHz, if known), can go on in it. */
  takes(program: TsProgram, firstTicks: number | undefined): boolean {
    const nowMs = this.#options.clock.nowMs();
    const isFruitless = nowMs - (this.#fruitlessSinceMs ?? nowMs) >= STUCK_MS;
    if (this.#isOver || isFruitless || !sameProgram(this.program, program)) return false;
    if (this.#nextTicks === undefined || firstTicks === undefined) return true;
    return !isTimeBreak(ticksBetween(this.#nextTicks, firstTicks));
  }

  /** A segment begins, and so does the time after which the next one is expected. */
  beginSegment(firstTicks: number | undefined, durationMs: number): void {
    this.#fruitlessSinceMs ??= this.#options.clock.nowMs();
    this.#nextTicks = firstTicks === undefined ? undefined : firstTicks + durationMs * 90;
  }

  /** @throws AppError `TRANSCODER_FAILED` if ffmpeg cannot be run */
  start(): Promise<void> {
    return this.#remuxer.start();
  }

  /** Hands whole packets in; resolves when it takes more, or is over. */
  async write(bytes: Buffer): Promise<void> {
    const room = this.#remuxer.write(bytes);
    if (room instanceof Promise) await this.#bounded(room);
  }

  /** Nothing comes any more; resolves when all frames have been handed on. */
  end(): Promise<void> {
    return this.#bounded(this.#remuxer.end());
  }

  close(): Promise<void> {
    return this.#remuxer.close();
  }

  async #bounded(work: Promise<unknown>): Promise<void> {
    const { clock, logger } = this.#options;
    const done = new AbortController();
    const isDone = work.then(() => done.abort());
    await Promise.race([isDone, clock.wait(STUCK_MS, done.signal)]);
    if (done.signal.aborted) return;
    logger.warn({}, 'ffmpeg is stuck on a remote source and is ended');
    this.#isOver = true;
    await this.close();
  }
}
