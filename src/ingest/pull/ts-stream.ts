import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import type { TrackKind } from '../../media/fragment.ts';
import type { Clock } from '../../util/clock.ts';
import type { Closable } from '../../util/closer.ts';
import { AppError } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { FrameOutlet } from './segment-demuxer.ts';
import { TsCutter, type TsRun } from './ts-cutter.ts';
import type { TsProgram } from './ts-program.ts';
import { TsRemuxer } from './ts-remuxer.ts';

/** Between two beginnings of stretches: each restarts every encoder of the broadcast. */
const MIN_STRETCH_MS = 1_000;

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
  #remuxer: TsRemuxer | undefined;
  #fault: AppError | undefined;
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
    if (this.#fault !== undefined) throw this.#fault;
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
    const remuxer = this.#remuxer;
    this.#remuxer = undefined;
    await remuxer?.end();
  }

  async close(): Promise<void> {
    const remuxer = this.#remuxer;
    this.#remuxer = undefined;
    await remuxer?.close();
  }

  async #take({ begins, bytes }: TsRun, signal: AbortSignal): Promise<void> {
    if (begins !== undefined) await this.#begin(begins.program, begins.reason, signal);
    await this.#remuxer?.write(bytes);
  }

  async #begin(program: TsProgram, reason: string, signal: AbortSignal): Promise<void> {
    const { binary, outlet, clock, logger } = this.#options;
    await clock.wait(this.#beganAtMs + MIN_STRETCH_MS - clock.nowMs(), signal);
    this.#beganAtMs = clock.nowMs();
    await this.end();
    const remuxer = new TsRemuxer({
      ...{ binary, program },
      onFrames: outlet.push,
      onWarning: (line) => logger.debug({ line }, 'ffmpeg on a remote stream'),
    });
    const { video, audio } = program;
    logger.info({ reason, video: video?.codec, audio: audio?.codec }, 'a stretch of a remote stream begins');
    this.#kinds = kindsOf(program);
    await outlet.begin(this.#kinds);
    this.#remuxer = remuxer;
    void remuxer.done.then((error) => {
      if (this.#remuxer !== remuxer) return;
      this.#fault = error ?? new AppError('TRANSCODER_FAILED', 'ffmpeg ended while its stream goes on');
    });
    await remuxer.start();
  }
}

function kindsOf({ video, audio }: TsProgram): TrackKind[] {
  return [video, audio].flatMap((track) => (track === undefined ? [] : [track.kind]));
}
