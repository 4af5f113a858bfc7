import type { StoredBytes, TrackStore } from '../cache/track-store.ts';
import type { TrackInit, TrackKind } from '../media/fragment.ts';
import { plausibleFrameRate } from './frame-rate.ts';
import type { Recording } from './recording.ts';
import type { Segment } from './segment.ts';
import type { WindowStore } from './segment-window.ts';
import { rowOf } from './vod-row.ts';

/** Shorter segments say nothing about the frame rate. */
const MIN_MEASURED_MS = 1_000;

interface TrackStorageOptions {
  readonly rendition: string;
  readonly track: TrackKind;
  readonly store: TrackStore;
  readonly recording: Recording | undefined;
}

/** Where the segments of one track go: to disk for time-shift, and from there into the recording, if there is one. */
export class TrackStorage implements WindowStore {
  readonly #options: TrackStorageOptions;
  #frameRate: number | undefined;

  constructor(options: TrackStorageOptions) {
    this.#options = options;
  }

  add(segment: Segment, init: TrackInit): void {
    const { rendition, track, store, recording } = this.#options;
    const { media, name, durationMs } = segment;
    const file = media === undefined ? Promise.resolve(undefined) : store.write(name, media.bytes);
    if (recording === undefined) return;
    if (track === 'video' && media !== undefined && durationMs >= MIN_MEASURED_MS) {
      this.#frameRate = plausibleFrameRate((media.frames * 1000) / durationMs, init.frameRate);
    }
    recording.add({ rendition, track, row: rowOf(segment), init, frameRate: this.#frameRate, file });
  }

  find(name: string): StoredBytes | undefined {
    return this.#options.store.find(name);
  }

  isFresh(name: string): boolean {
    return this.#options.store.isFresh(name);
  }

  delete(name: string): void {
    this.#options.store.delete(name);
  }
}
