import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import type { TrackKind } from '../../media/fragment.ts';
import type { Clock } from '../../util/clock.ts';
import type { Closable } from '../../util/closer.ts';
import { AppError } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import { type FrameOutlet, MIN_LEG_MS } from './segment-demuxer.ts';
import { TsCutter, type TsRun } from './ts-cutter.ts';
import { TsLeg } from './ts-leg.ts';
import { kindsOf, type TsProgram } from './ts-program.ts';

interface TsStreamOptions {
  readonly binary: FfmpegBinary;
  readonly outlet: Pick<FrameOutlet, 'begin' | 'push'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Takes a transport stream that goes on for ever apart: one ffmpeg for each stretch without a break. */
export class TsStream implements Closable {
  readonly #options: TsStreamOptions;
  readonly #cutter = new TsCutter();
  #leg: TsLeg | undefined;
  /** Stops listening for the end of the present stretch's connection. */
  #unlisten = (): void => undefined;
  #kinds: readonly TrackKind[] = [];
  #beganAtMs = -Infinity;
  #skippedFromMs: number | undefined;

  constructor(options: TsStreamOptions) {
    this.#options = options;
  }

  /** The tracks of the stretch at present. */
  get kinds(): readonly TrackKind[] {
    return this.#kinds;
  }

  /** Media time that has come, whether it was used or not, ms. */
  get mediaMs(): number {
    return this.#cutter.mediaMs;
  }

  /**
   * Takes the next bytes, cut anywhere; resolves when it takes more.
   * @throws AppError `BAD_MEDIA` for what is no stream that can be used, `TRANSCODER_FAILED` if ffmpeg does not go on
   */
  async push(piece: Buffer, signal: AbortSignal): Promise<void> {
    for (const run of this.#cutter.push(piece)) await this.#take(run, signal);
    const leg = this.#leg;
    if (leg?.takes(leg.program, undefined) === false) {
      throw new AppError('TRANSCODER_FAILED', 'ffmpeg did not go on while the stream does');
    }
  }

  /** Takes the next bytes, and uses nothing of them. */
  skip(piece: Buffer): void {
    this.#skippedFromMs ??= this.mediaMs;
    this.#cutter.push(piece);
  }

  /** Goes on after what was skipped, at the next keyframe; answers how much media that was, ms. */
  resume(): number {
    const skippedMs = this.mediaMs - (this.#skippedFromMs ?? this.mediaMs);
    this.#skippedFromMs = undefined;
    this.#cutter.restart();
    return skippedMs;
  }

  /** Nothing comes any more: hands on what is held. */
  async end(): Promise<void> {
    const leg = this.#leg;
    this.#leg = undefined;
    await leg?.end();
    this.#unlisten();
  }

  async close(): Promise<void> {
    const leg = this.#leg;
    this.#leg = undefined;
    await leg?.close();
  }

  async #take({ begins, bytes }: TsRun, signal: AbortSignal): Promise<void> {
    if (begins !== undefined) await this.#begin(begins.program, begins.reason, signal);
    await this.#leg?.write(bytes);
  }

  async #begin(program: TsProgram, reason: string, signal: AbortSignal): Promise<void> {
    const { binary, outlet, clock, logger } = this.#options;
    await clock.wait(this.#beganAtMs + MIN_LEG_MS - clock.nowMs(), signal);
    this.#beganAtMs = clock.nowMs();
    await this.end();
    const leg = new TsLeg({ binary, program, onFrames: outlet.push, clock, logger });
    const { video, audio } = program;
    logger.info({ reason, video: video?.codec, audio: audio?.codec }, 'a stretch of a remote stream begins');
    this.#kinds = kindsOf(program);
    await outlet.begin(this.#kinds);
    this.#leg = leg;
    // Whoever waits for an ffmpeg that is stuck waits no longer.
    const onAbort = (): void => void leg.close();
    signal.addEventListener('abort', onAbort);
    this.#unlisten = () => signal.removeEventListener('abort', onAbort);
    await leg.start();
  }
}
