import { AppError } from '../../util/errors.ts';

/** When the frames of a picture are shown. Times are ticks of the source's own timeline. Immutable. */
export interface VideoIndex {
  /** Of keyframes that are shown, ascending; not empty. */
  readonly keyframes: Float64Array;
  /** Of all frames that are shown, ascending; `undefined` if they are not known, or are too many. */
  readonly frames: Float64Array | undefined;
  /** When the last frame ends; `undefined` if it is not known. */
  readonly endTicks: number | undefined;
  /** Bytes from each of `keyframes` to the next. */
  readonly gopBytes: Float64Array;
  /** True if nothing is shown before the keyframe that it follows in the file; `undefined` if that is not known. */
  readonly isClosed: boolean | undefined;
  /** True if frames are not shown that lie between a keyframe and the next, or a keyframe is not that others need. */
  readonly hidesFrames: boolean;
  /** See `CopyFacts.reorderTicks`; `undefined` if `frames` is. */
  readonly reorderTicks: number | undefined;
  /** The decoder's configuration as the container has it. */
  readonly config: Buffer | undefined;
}

/** One frame, in decoding order; times are ticks of the source's own timeline. */
export interface IndexedFrame {
  readonly ptsTicks: number;
  readonly durationTicks: number;
  readonly bytes: number;
  readonly isKeyframe: boolean;
  /** Decoded, but not shown. */
  readonly isHidden: boolean;
}

/** Some 20 hours at 60 frames a second, 40 MB; the frames of longer titles are not held. */
const MAX_FRAMES = 4_500_000;

/** Makes an index from all frames of a picture. */
export class VideoIndexBuilder {
  readonly #maxFrames: number;
  readonly #keyframes = new NumberList();
  readonly #gopBytes = new NumberList();
  #frames: NumberList | undefined = new NumberList();
  /** When the keyframe that was added last is shown; `undefined` before the first. */
  #keyTicks: number | undefined;
  #keyIsHidden = false;
  #endTicks = -Infinity;
  #isClosed = true;
  #hidesFrames = false;

  /** @param maxFrames more frames than these are not held: the index then tells keyframes only. */
  constructor(maxFrames: number = MAX_FRAMES) {
    this.#maxFrames = maxFrames;
  }

  /** Adds the next frame in decoding order. Those before the first keyframe are left out: nothing can decode them. */
  add({ ptsTicks, durationTicks, bytes, isKeyframe, isHidden }: IndexedFrame): void {
    if (isKeyframe) {
      this.#keyTicks = ptsTicks;
      this.#keyIsHidden = isHidden;
      if (!isHidden) {
        this.#keyframes.push(ptsTicks);
        this.#gopBytes.push(0);
      }
    }
    if (this.#keyTicks === undefined) return;
    if (!this.#keyIsHidden) this.#gopBytes.addToLast(bytes);
    if (isHidden !== this.#keyIsHidden) this.#hidesFrames = true;
    if (isHidden) return;
    if (ptsTicks < this.#keyTicks) {
      this.#isClosed = false;
      // Shown before the first keyframe of all: it needs frames that are not there.
      if (this.#keyframes.length === 1 && !this.#hidesFrames) return;
    }
    this.#endTicks = Math.max(this.#endTicks, ptsTicks + durationTicks);
    this.#frames?.push(ptsTicks);
    if (this.#frames !== undefined && this.#frames.length > this.#maxFrames) this.#frames = undefined;
  }

  /**
   * The index of all that was added.
   * @throws AppError `BAD_MEDIA` if no keyframe is shown
   */
  build(config?: Buffer): VideoIndex {
    const keyframes = this.#keyframes.toArray();
    if (keyframes.length === 0) throw new AppError('BAD_MEDIA', 'the picture has no keyframe');
    const inOrder = keyframes.every((ticks, index) => index === 0 || ticks > (keyframes[index - 1] ?? ticks));
    const decoded = this.#frames?.toArray();
    const frames = decoded?.slice().sort();
    return {
      keyframes: keyframes.sort(),
      frames,
      endTicks: this.#endTicks,
      gopBytes: this.#gopBytes.toArray(),
      isClosed: this.#isClosed && inOrder,
      hidesFrames: this.#hidesFrames,
      reorderTicks: frames?.reduce((most, ticks, index) => Math.max(most, ticks - (decoded?.[index] ?? ticks)), 0),
      config,
    };
  }
}

/** Numbers that come one by one, 8 bytes each. */
class NumberList {
  #numbers = new Float64Array(1_024);
  length = 0;

  push(value: number): void {
    if (this.length === this.#numbers.length) {
      const larger = new Float64Array(this.length * 2);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.length] = value;
    this.length += 1;
  }

  addToLast(value: number): void {
    const last = this.length - 1;
    if (last >= 0) this.#numbers[last] = (this.#numbers[last] ?? 0) + value;
  }

  toArray(): Float64Array {
    return this.#numbers.slice(0, this.length);
  }
}
