import type { MediaFile } from '../../hls/media-file.ts';
import type { RenditionEncoder } from './rendition-encoder.ts';
import type { RenditionHandle, RenditionProgress } from './rendition-handle.ts';
import type { Watcher } from './watchers.ts';

interface ViewerOptions {
  readonly encoder: RenditionEncoder;
  readonly startAt: number;
  /** Another encoder that makes what the first one cannot; `undefined` if there is none. */
  readonly standIn: () => RenditionEncoder | undefined;
}

/** One viewer of a rendition, and where it is. */
export class Viewer implements RenditionHandle, Watcher {
  readonly segmentCount: number;
  readonly startAt: number;
  position: number | undefined;
  askedMs = 0;
  readonly #standIn: () => RenditionEncoder | undefined;
  readonly #listeners = new Map<() => void, () => void>();
  #encoder: RenditionEncoder;
  #isReleased = false;

  constructor({ encoder, startAt, standIn }: ViewerOptions) {
    this.segmentCount = encoder.segmentCount;
    this.startAt = Math.min(Math.max(0, startAt), Math.max(0, encoder.segmentCount - 1));
    this.#standIn = standIn;
    this.#encoder = encoder;
    encoder.join(this);
  }

  init(signal: AbortSignal): Promise<MediaFile> {
    return this.#ask((encoder) => encoder.init(this, signal));
  }

  segment(index: number, signal: AbortSignal): Promise<MediaFile> {
    return this.#ask((encoder) => encoder.segment(this, index, signal));
  }

  fill(signal: AbortSignal): Promise<void> {
    return this.#ask((encoder) => encoder.fill(signal));
  }

  progress(): RenditionProgress {
    return this.#encoder.progress();
  }

  onProgress(listener: () => void): () => void {
    this.#listeners.set(listener, this.#encoder.onProgress(listener));
    return () => {
      this.#listeners.get(listener)?.();
      this.#listeners.delete(listener);
    };
  }

  release(): void {
    this.#isReleased = true;
    this.#encoder.leave(this);
  }

  async #ask<T>(ask: (encoder: RenditionEncoder) => Promise<T>): Promise<T> {
    try {
      return await ask(this.#encoder);
    } catch (error) {
      const standIn = this.#encoder.isBroken && !this.#isReleased ? this.#standIn() : undefined;
      if (standIn === undefined) throw error;
      this.#move(standIn);
      return await ask(standIn);
    }
  }

  #move(encoder: RenditionEncoder): void {
    if (encoder === this.#encoder) return;
    encoder.join(this);
    this.#encoder.leave(this);
    this.#encoder = encoder;
    for (const [listener, end] of this.#listeners) {
      end();
      this.#listeners.set(listener, encoder.onProgress(listener));
    }
  }
}
