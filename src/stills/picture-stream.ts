import { readFragment } from '../media/cmaf/fragment-reader.ts';
import { writeFragment } from '../media/cmaf/fragment-writer.ts';
import { readTrackInit } from '../media/cmaf/init-reader.ts';

/** What ffmpeg needs before the input that a `PictureStream` makes. Decoders are kept from pictures larger than 8K. */
export const PICTURE_INPUT_OPTIONS: readonly string[] = Object.freeze([
  ...['-hide_banner', '-loglevel', 'error', '-nostats', '-threads', '1', '-max_pixels', String(8192 * 4352)],
  ...['-probesize', '32', '-analyzeduration', '0', '-f', 'mp4'],
]);

/**
 * Collects keyframes of one init as an MP4 stream with one picture a second, from 0 s on. Their own times are left out,
 * since those of two epochs may overlap, and ffmpeg's demuxer sorts by time.
 */
export class PictureStream {
  readonly #init: ReturnType<typeof readTrackInit>;
  readonly #initBytes: Buffer;
  readonly #pieces: Buffer[];
  #byteLength = 0;

  /** @throws AppError `BAD_MEDIA` for an init that this program would not write. */
  constructor(init: Buffer) {
    this.#init = readTrackInit(init);
    this.#initBytes = init;
    this.#pieces = [this.#init.bytes];
  }

  /** How many pictures there are. */
  get count(): number {
    return this.#pieces.length - 1;
  }

  /** Bytes of all pictures. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** Init and pictures, for ffmpeg's stdin. */
  get pieces(): readonly Buffer[] {
    return this.#pieces;
  }

  /** Whether keyframes of this init can be added. */
  takes(init: Buffer): boolean {
    return init === this.#initBytes || init.equals(this.#initBytes);
  }

  /**
   * Adds the first frame of a fragment. False if there is none to be shown.
   * @throws AppError `BAD_MEDIA` for anything malformed.
   */
  add(fragment: Buffer): boolean {
    const read = readFragment(fragment, this.#init, { epoch: 0, ingestedAtMs: 0 });
    const size = read?.samples[0]?.size ?? 0;
    if (read === undefined || size === 0) return false;
    const { timescale } = this.#init;
    const at = this.count * timescale;
    const frame = { dts: at, pts: at, duration: timescale, sync: true, data: read.payload.subarray(0, size) };
    const { bytes } = writeFragment({ init: this.#init, epoch: 0, frames: [frame], ingestedAtMs: 0 });
    this.#pieces.push(bytes);
    this.#byteLength += bytes.length;
    return true;
  }
}
