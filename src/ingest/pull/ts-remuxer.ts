import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import { FfmpegChild } from '../../ffmpeg/ffmpeg-child.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import { type DemuxedFrame, Fmp4Demuxer } from '../fmp4-demuxer.ts';
import { FormatChanges } from './format-changes.ts';
import { remuxInput, remuxOutput } from './remux-command.ts';
import type { TsProgram, TsTrack } from './ts-program.ts';

/** What to take out of a transport stream, and who takes it. */
export interface TsRemuxerOptions {
  readonly binary: FfmpegBinary;
  readonly program: TsProgram;
  /**
   * Takes frames as they come, each track's in decode order; the tracks are not merged. Times are those of the source, in
   * ticks of their init, so they may be negative (up to 60 s before a wrap of the 33-bit clock) and wrap. Must not throw.
   */
  readonly onFrames: (frames: readonly DemuxedFrame[]) => void;
  /** Takes each line that ffmpeg writes; must not throw. */
  readonly onWarning?: (line: string) => void;
}

/**
 * Takes the frames out of one stretch of transport stream whose times go on without a break: one ffmpeg, which copies what
 * fragments can carry and encodes what they cannot. The last few frames come only with what follows them, or at the end.
 */
export class TsRemuxer {
  /** Resolves when ffmpeg is gone and all frames were handed on: with what went wrong, if anything did. Never rejects. */
  readonly done: Promise<AppError | undefined>;
  readonly #child: FfmpegChild;
  readonly #onFrames: (frames: readonly DemuxedFrame[]) => void;
  #fault: AppError | undefined;

  /** @throws AppError `BAD_MEDIA` for a program that is encrypted, or has neither video nor sound */
  constructor({ binary, program, onFrames, onWarning = () => undefined }: TsRemuxerOptions) {
    if (program.isEncrypted) {
      throw new AppError('BAD_MEDIA', 'the stream is encrypted and cannot be decoded; use mode "relay"');
    }
    const { video, audio } = program;
    const [first, second] = [video, audio].filter((track) => track !== undefined);
    if (first === undefined) throw new AppError('BAD_MEDIA', 'the stream has neither video nor sound');
    this.#onFrames = onFrames;
    const outputOf = (track: TsTrack): string[] =>
      remuxOutput({ ...track, map: `0:i:${track.pid}`, hasAdts: track.codec === 'aac' }, binary);
    this.#child = new FfmpegChild({
      binaryPath: binary.path,
      commandLine: { input: remuxInput().option('f', 'mpegts').toArray(), output: outputOf(first) },
      onOutput: this.#reader(),
      furtherOutputs: second === undefined ? [] : [{ options: outputOf(second), onOutput: this.#reader() }],
      onWarning,
    });
    this.done = this.#child.done.then(({ failure }) => {
      if (this.#fault !== undefined) return this.#fault;
      return failure === undefined ? undefined : new AppError('TRANSCODER_FAILED', failure);
    });
  }

  /**
   * Starts ffmpeg.
   * @throws AppError `TRANSCODER_FAILED` if it cannot be run
   */
  start(): Promise<void> {
    return this.#child.start();
  }

  /** Hands bytes in, cut anywhere; while ffmpeg is busy a promise is answered that resolves when it takes more, or has gone. */
  write(bytes: Buffer): void | Promise<void> {
    return this.#child.write(bytes);
  }

  /** Ends the input; resolves as `done` does. */
  end(): Promise<AppError | undefined> {
    this.#child.end();
    return this.done;
  }

  /** Ends ffmpeg at once; what it still had is lost. Idempotent. */
  close(): Promise<void> {
    return this.#child.kill();
  }

  #reader(): (chunk: Buffer) => void {
    const demuxer = new Fmp4Demuxer();
    const changes = new FormatChanges();
    return (chunk) => {
      if (this.#fault !== undefined) return;
      try {
        const frames = demuxer.push(chunk).map((frame) => changes.apply(frame));
        if (frames.length > 0) this.#onFrames(frames);
      } catch (thrown) {
        this.#fault = thrown instanceof AppError ? thrown : new AppError('BAD_MEDIA', reasonOf(thrown));
        void this.#child.kill();
      }
    };
  }
}
