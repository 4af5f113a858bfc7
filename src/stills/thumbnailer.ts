import type { Clock } from '../util/clock.ts';
import { AppError, toError } from '../util/errors.ts';
import type { Keyframe, KeyframeSource } from './keyframe.ts';
import { fitFilter } from './picture-size.ts';
import { PICTURE_INPUT_OPTIONS, PictureStream } from './picture-stream.ts';
import { StillCache } from './still-cache.ts';
import type { StillRenderer, StillTurn } from './still-renderer.ts';

/** What a `Thumbnailer` works with. */
export interface ThumbnailerDeps {
  readonly keyframes: KeyframeSource;
  readonly renderer: StillRenderer;
  readonly clock: Clock;
}

const REFRESH_MS = 5_000;
const MAX_CACHE_BYTES = 16 * 1024 * 1024;
const MAX_JPEG_BYTES = 1024 * 1024;
/** What remembering a failure is counted as. */
const FAILURE_BYTES = 1024;
/** 320 pixels wide, unless the picture is more than twice as high as wide. */
const BOX = { width: 320, height: 640 };

interface Thumbnail {
  readonly madeAtMs: number;
  /** The keyframe that it shows. */
  readonly of: string;
  readonly jpeg: Buffer | Error;
}

/** Makes a JPEG of what each broadcast shows, only when somebody asks, and at most one each five seconds. */
export class Thumbnailer {
  readonly #deps: ThumbnailerDeps;
  readonly #made = new StillCache<Thumbnail>({ maxBytes: MAX_CACHE_BYTES });

  constructor(deps: ThumbnailerDeps) {
    this.#deps = deps;
  }

  /**
   * The newest keyframe as a JPEG 320 pixels wide; at most five seconds older than it could be.
   * @throws AppError `NOT_FOUND` if nothing of the broadcast can be shown; `BAD_MEDIA` or `TRANSCODER_FAILED` for a keyframe
   *   that cannot be decoded; what `StillRenderer.render()` throws.
   */
  async thumbnail(broadcast: string, signal?: AbortSignal): Promise<Buffer> {
    const { keyframes, renderer, clock } = this.#deps;
    const newest = keyframes(broadcast).at(-1);
    if (newest === undefined) {
      this.#made.delete(broadcast);
      throw nothingToShow(broadcast);
    }
    const made = this.#made.get(broadcast);
    const isNewest = made?.of === identify(newest) && Buffer.isBuffer(made.jpeg);
    if (made !== undefined && (isNewest || clock.nowMs() - made.madeAtMs < REFRESH_MS)) {
      if (Buffer.isBuffer(made.jpeg)) return made.jpeg;
      throw made.jpeg;
    }
    return renderer.render(`thumbnail of ${broadcast}`, (turn) => this.#make(broadcast, turn), signal);
  }

  async #make(broadcast: string, turn: StillTurn): Promise<Buffer> {
    const { keyframes, clock } = this.#deps;
    const newest = keyframes(broadcast).at(-1);
    if (newest === undefined) throw nothingToShow(broadcast);
    let jpeg: Buffer | Error;
    try {
      jpeg = await draw(broadcast, newest, turn);
    } catch (thrown) {
      if (turn.signal.aborted) throw thrown;
      jpeg = toError(thrown);
    }
    const bytes = Buffer.isBuffer(jpeg) ? jpeg.length : FAILURE_BYTES;
    this.#made.set(broadcast, { madeAtMs: clock.nowMs(), of: identify(newest), jpeg }, bytes);
    if (Buffer.isBuffer(jpeg)) return jpeg;
    throw jpeg;
  }
}

async function draw(broadcast: string, keyframe: Keyframe, turn: StillTurn): Promise<Buffer> {
  const fragment = await keyframe.read();
  const stream = new PictureStream(keyframe.init);
  if (fragment === undefined || !stream.add(fragment)) throw nothingToShow(broadcast);
  const output = ['-frames:v', '1', '-vf', fitFilter(BOX), '-c:v', 'mjpeg', '-q:v', '5', '-f', 'mjpeg'];
  const commandLine = { input: PICTURE_INPUT_OPTIONS, output };
  const jpeg = await turn.ffmpeg({ commandLine, input: stream.pieces, maxOutputBytes: MAX_JPEG_BYTES });
  if (jpeg.length > 0) return jpeg;
  throw new AppError('TRANSCODER_FAILED', `the newest keyframe of ${broadcast} cannot be decoded`);
}

function identify({ msn, programDateTimeMs }: Keyframe): string {
  return `${msn}@${programDateTimeMs}`;
}

function nothingToShow(broadcast: string): AppError {
  return new AppError('NOT_FOUND', `broadcast ${broadcast} shows no picture now`);
}
