import { BoxStream } from '../../media/cmaf/box-stream.ts';
import { readFragment } from '../../media/cmaf/fragment-reader.ts';
import { readTrackInit } from '../../media/cmaf/init-reader.ts';
import type { Fragment, TrackInit } from '../../media/fragment.ts';
import type { Clock } from '../../util/clock.ts';
import { AppError, toError } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import type { Transcoder, TranscoderContext, TranscoderFacts } from '../transcoder.ts';
import { FfmpegChild, type FfmpegCommandLine } from '../../ffmpeg/ffmpeg-child.ts';

/** ffmpeg's demuxer never forgets a fragment: about 180 bytes each. */
const LIFETIME_FRAGMENTS = 500_000;

/** What one run of a child is made of. */
export interface FfmpegRun {
  readonly context: TranscoderContext;
  readonly binaryPath: string;
  readonly commandLine: FfmpegCommandLine;
  /** Name of the encoder, for admins. */
  readonly encoder: string;
  /** Frame rate of the output, if it is known. */
  readonly frameRate: number | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One ffmpeg child: source fragments in on stdin, the rung's fragments out on stdout. */
export class FfmpegTranscoder implements Transcoder {
  readonly lifetimeFragments = LIFETIME_FRAGMENTS;
  readonly #run: FfmpegRun;
  readonly #boxes = new BoxStream();
  readonly #child: FfmpegChild;
  #init: TrackInit | undefined;
  #ending = false;

  constructor(run: FfmpegRun) {
    this.#run = run;
    const { binaryPath, commandLine, context, logger } = run;
    this.#child = new FfmpegChild({
      ...{ binaryPath, commandLine },
      onOutput: (chunk) => this.#read(chunk),
      onWarning: (line) => logger.debug({ ...context.source, rendition: context.rendition.name, line }, 'ffmpeg says'),
    });
    void this.#child.done.then(({ failure }) => {
      if (this.#ending) return;
      const message = failure ?? 'ffmpeg exited with code 0 while its source goes on';
      context.fail(new AppError('TRANSCODER_FAILED', message));
    });
  }

  async start(): Promise<void> {
    await this.#child.start();
    await this.#child.write(this.#run.context.init.bytes);
  }

  push(fragment: Fragment): void | Promise<void> {
    return this.#child.write(fragment.bytes);
  }

  async stop(): Promise<void> {
    this.#ending = true;
    this.#child.end();
    const { failure } = await this.#child.done;
    if (failure !== undefined) throw new AppError('TRANSCODER_FAILED', failure);
  }

  abort(): Promise<void> {
    this.#ending = true;
    return this.#child.kill();
  }

  facts(): TranscoderFacts {
    const { pid } = this.#child;
    return { encoder: this.#run.encoder, ...(pid !== undefined && { pid }) };
  }

  #read(chunk: Buffer): void {
    const { context } = this.#run;
    try {
      for (const { type, bytes } of this.#boxes.push(chunk)) {
        if (type === 'init') this.#init = this.#described(readTrackInit(bytes));
        else if (this.#init !== undefined) this.#emit(bytes, this.#init);
      }
    } catch (thrown) {
      context.fail(toError(thrown));
    }
  }

  #emit(bytes: Buffer, init: TrackInit): void {
    const { context, clock } = this.#run;
    const fragment = readFragment(bytes, init, { epoch: context.epoch, ingestedAtMs: clock.nowMs() });
    if (fragment !== undefined) context.emit(fragment);
  }

  #described(init: TrackInit): TrackInit {
    const { frameRate } = this.#run;
    return frameRate === undefined || init.kind === 'audio' ? init : { ...init, frameRate };
  }
}
