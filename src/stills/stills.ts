import type { Clock } from '../util/clock.ts';
import type { Closable } from '../util/closer.ts';
import type { KeyframeSource } from './keyframe.ts';
import { StillRenderer } from './still-renderer.ts';
import { Storyboard } from './storyboard.ts';
import { Thumbnailer } from './thumbnailer.ts';

/** What `Stills` are made from. */
export interface StillsDeps {
  readonly keyframes: KeyframeSource;
  /** The ffmpeg to run. */
  readonly binaryPath: string;
  readonly clock: Clock;
}

/** All still pictures of live broadcasts: made only when somebody asks, one at a time, and kept while they are current. */
export class Stills implements Closable {
  readonly #renderer: StillRenderer;
  readonly #thumbnailer: Thumbnailer;
  readonly #storyboard: Storyboard;

  constructor({ keyframes, binaryPath, clock }: StillsDeps) {
    this.#renderer = new StillRenderer({ binaryPath });
    this.#thumbnailer = new Thumbnailer({ keyframes, clock, renderer: this.#renderer });
    this.#storyboard = new Storyboard({ keyframes, renderer: this.#renderer });
  }

  /** See `Thumbnailer.thumbnail()`. */
  thumbnail(broadcast: string, signal?: AbortSignal): Promise<Buffer> {
    return this.#thumbnailer.thumbnail(broadcast, signal);
  }

  /** See `Storyboard.vtt()`. */
  storyboard(broadcast: string): Promise<{ vtt: string }> {
    return Promise.resolve().then(() => ({ vtt: this.#storyboard.vtt(broadcast) }));
  }

  /** See `Storyboard.sprite()`; `index` is the number in the sheet's name. */
  sprite(broadcast: string, index: number, signal?: AbortSignal): Promise<Buffer> {
    return this.#storyboard.sprite(broadcast, index, signal);
  }

  /** Ends a run of ffmpeg, and refuses what is asked for later. */
  close(): Promise<void> {
    return this.#renderer.close();
  }
}
