import { open } from 'node:fs/promises';
import { BoxStream } from '../media/cmaf/box-stream.ts';
import { readFragment } from '../media/cmaf/fragment-reader.ts';
import { readTrackInit } from '../media/cmaf/init-reader.ts';
import type { Fragment, TrackInit } from '../media/fragment.ts';
import type { FrameLoop, LoopFrame, SlateOrder, SlatePicture } from '../media/slate.ts';
import { AppError, reasonOf } from '../util/errors.ts';
import { silentAudio, slateFrameRate, sourceInput, type StillInput, stillVideo } from './slate-commands.ts';
import type { StillRenderer, StillRun } from './still-renderer.ts';

const MAX_IMAGE_BYTES = 32 * 1024 * 1024;

/** Audio encoders fade in over their first frames; the ones after that are all alike. */
const AUDIO_FRAMES = { first: 4, count: 16 };

interface SlateEncoderOptions {
  /** Runs ffmpeg, one child at a time. Not shared with other stills, so that a slate does not wait for them. */
  readonly renderer: Pick<StillRenderer, 'render'>;
  /** Distance of the keyframes, ms. */
  readonly keyframeEachMs: number;
}

/** Makes what stands in for a silent source: its picture frozen, or an image, and silence, as loops of coded frames. */
export class SlateEncoder {
  readonly #options: SlateEncoderOptions;
  #runs = 0;

  constructor(options: SlateEncoderOptions) {
    this.#options = options;
  }

  /**
   * One loop for each track that the order names. Video is H.264 with the source's size and frame rate.
   * @throws AppError `NOT_FOUND` or `TOO_LARGE` for an image that cannot be used, `TRANSCODER_FAILED` if ffmpeg fails,
   *   `UNAVAILABLE` if too many wait or `signal` aborts.
   */
  async encode({ video, audio, image }: SlateOrder, signal: AbortSignal): Promise<FrameLoop[]> {
    const loops: FrameLoop[] = [];
    if (video !== undefined) loops.push(await this.#video(video, image, signal));
    if (audio !== undefined) loops.push(await this.#audio(audio, signal));
    return loops;
  }

  async #video(picture: SlatePicture, image: string | undefined, signal: AbortSignal): Promise<FrameLoop> {
    const input: StillInput = image === undefined ? sourceInput(picture) : await imageInput(image);
    const frameRate = slateFrameRate(picture);
    const count = Math.max(1, Math.round((frameRate * this.#options.keyframeEachMs) / 1000));
    const { init, fragments } = await this.#run(stillVideo(picture, input, count), signal);
    const at = (index: number): number => Math.round((index * init.timescale) / frameRate);
    const frames = fragments.map((fragment, index) => toFrame(fragment, at(index + 1) - at(index)));
    if (frames[0]?.sync !== true || frames.length < count) {
      throw new AppError('TRANSCODER_FAILED', `ffmpeg made ${frames.length} frames instead of ${count}`);
    }
    return { init: { ...init, frameRate }, frames };
  }

  async #audio(source: TrackInit, signal: AbortSignal): Promise<FrameLoop> {
    const { init, fragments } = await this.#run(silentAudio(source), signal);
    const { first, count } = AUDIO_FRAMES;
    const frames = fragments.slice(first, first + count).map((fragment) => toFrame(fragment, fragment.duration));
    if (frames.length < count) throw new AppError('TRANSCODER_FAILED', 'ffmpeg made too little silence');
    return { init, frames };
  }

  async #run(run: StillRun, signal: AbortSignal): Promise<{ init: TrackInit; fragments: Fragment[] }> {
    this.#runs += 1;
    const output = await this.#options.renderer.render(`slate ${this.#runs}`, (turn) => turn.ffmpeg(run), signal);
    const [first, ...pieces] = new BoxStream().push(output);
    if (first?.type !== 'init') throw new AppError('TRANSCODER_FAILED', 'ffmpeg made no init');
    const init = readTrackInit(first.bytes);
    const read = pieces.map(({ bytes }) => readFragment(bytes, init, { epoch: 0, ingestedAtMs: 0 }));
    return { init, fragments: read.filter((fragment) => fragment !== undefined) };
  }
}

function toFrame({ keyframe, payload }: Fragment, duration: number): LoopFrame {
  return { duration, sync: keyframe, data: Buffer.from(payload) };
}

async function imageInput(file: string): Promise<StillInput> {
  try {
    const handle = await open(file);
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new AppError('NOT_FOUND', `the slate image ${file} is not a file`);
      const { size } = stats;
      if (size > MAX_IMAGE_BYTES) {
        throw new AppError('TOO_LARGE', `the slate image ${file} has ${size} bytes; ${MAX_IMAGE_BYTES} is the limit`);
      }
      return { options: [], bytes: [await handle.readFile()], foreign: true };
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown;
    throw new AppError('NOT_FOUND', `the slate image ${file} cannot be read: ${reasonOf(thrown)}`);
  }
}
