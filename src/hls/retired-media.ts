import type { Clock } from '../util/clock.ts';
import type { MediaFile } from './media-file.ts';
import type { PackagedTrack } from './packaged-track.ts';

/** Tracks beyond this many are forgotten before their time. */
const MAX_RETIRED = 32;

/** Keeps the media of removed tracks fetchable for a while: players still hold playlists that name it. */
export class RetiredMedia {
  readonly #clock: Clock;
  readonly #keepMs: number;
  readonly #retired: { readonly track: PackagedTrack; readonly untilMs: number }[] = [];

  constructor(clock: Clock, keepMs: number) {
    this.#clock = clock;
    this.#keepMs = keepMs;
  }

  /** Keeps what a track holds. */
  add(track: PackagedTrack): void {
    this.#prune();
    this.#retired.push({ track, untilMs: this.#clock.nowMs() + this.#keepMs });
    if (this.#retired.length > MAX_RETIRED) this.#retired.shift()?.track.release();
  }

  /** A file that is still kept. */
  file(name: string): MediaFile | undefined {
    this.#prune();
    for (const { track } of this.#retired) {
      const file = track.file(name);
      if (file !== undefined) return file;
    }
    return undefined;
  }

  #prune(): void {
    const nowMs = this.#clock.nowMs();
    while (this.#retired[0] !== undefined && this.#retired[0].untilMs <= nowMs) this.#retired.shift()?.track.release();
  }
}
