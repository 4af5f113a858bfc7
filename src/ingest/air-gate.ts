import type { TrackKind } from '../media/fragment.ts';

/** How long sound waits for the picture that belongs to it. */
const VIDEO_WITHIN_MS = 2_000;

/** Decides with which frame a publisher replaces what is on the air: a keyframe, or sound if no picture comes. */
export class AirGate {
  readonly #expectsVideo: boolean;
  #soundSinceMs: number | undefined;
  #sawVideo = false;

  /** @param expectsVideo whether what is on the air has a picture */
  constructor(expectsVideo: boolean) {
    this.#expectsVideo = expectsVideo;
  }

  /** True if the publisher may begin with this frame. Asked for each of its frames until then. */
  opensAt(kind: TrackKind, sync: boolean, nowMs: number): boolean {
    if (kind === 'video') {
      this.#sawVideo = true;
      return sync;
    }
    this.#soundSinceMs ??= nowMs;
    return !this.#expectsVideo || (!this.#sawVideo && nowMs - this.#soundSinceMs >= VIDEO_WITHIN_MS);
  }
}
