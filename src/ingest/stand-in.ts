import type { Fragment } from '../media/fragment.ts';
import type { FrameLoop, SlateOrder } from '../media/slate.ts';
import type { Clock } from '../util/clock.ts';
import { reasonOf } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import { Slate } from './slate.ts';
import type { SourceTracks } from './source-tracks.ts';

/** Makes the loops of a slate. */
export interface SlateEncoder {
  /**
   * One loop for each track that the order names; in bounded time.
   * @throws AppError if it cannot be made, or `signal` aborted.
   */
  encode(order: SlateOrder, signal: AbortSignal): Promise<readonly FrameLoop[]>;
}

/** Frame rate of a source that tells none. */
const DEFAULT_FRAME_RATE = 30;
const MIN_RATED_FRAMES = 5;

interface StandInOptions {
  readonly broadcast: string;
  readonly tracks: SourceTracks;
  readonly encoder: SlateEncoder;
  /** `true` or the path of an image. */
  readonly slate: () => boolean | string;
  readonly nextEpoch: () => number;
  /** Asked at the last moment: whether the source is still silent. */
  readonly isWanted: () => boolean;
  /** Called just before the slate goes on the air. */
  readonly onAir: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Keeps a slate for one broadcast: makes it when the source falls silent, and puts it on the air until the source is back. */
export class StandIn {
  readonly #options: StandInOptions;
  #preparing: AbortController | undefined;
  #prepared = Promise.resolve();
  #loops: readonly FrameLoop[] | undefined;
  #failed = false;
  #called = false;
  #slate: Slate | undefined;

  constructor(options: StandInOptions) {
    this.#options = options;
  }

  get isOnAir(): boolean {
    return this.#slate !== undefined;
  }

  /** Makes the slate from what the source sent last, so that it is there when it is called. */
  prepare(): void {
    const wanted = this.#options.slate();
    const isUnderWay = this.isOnAir || this.#preparing !== undefined || this.#loops !== undefined;
    if (wanted === false || isUnderWay || this.#failed) return;
    this.#preparing = new AbortController();
    this.#prepared = this.#make(typeof wanted === 'string' ? wanted : undefined, this.#preparing.signal);
  }

  /** Puts the slate on the air as soon as it is made. */
  call(): void {
    if (this.isOnAir) return;
    this.#called = true;
    this.prepare();
    this.#enter();
  }

  /** Takes the slate off the air and forgets it: the source goes on. Idempotent. */
  dismiss(): void {
    this.#preparing?.abort();
    this.#loops = undefined;
    this.#failed = false;
    this.#called = false;
    this.#slate?.stop();
    this.#slate = undefined;
  }

  /** Dismisses the slate for good and waits for what makes it. */
  async close(): Promise<void> {
    this.dismiss();
    await this.#prepared;
  }

  async #make(image: string | undefined, signal: AbortSignal): Promise<void> {
    const { broadcast, encoder, logger, tracks } = this.#options;
    try {
      const loops = await encoder.encode(orderFor(tracks, image), signal);
      if (!signal.aborted) this.#loops = loops;
    } catch (thrown) {
      if (!signal.aborted) {
        this.#failed = true;
        logger.warn({ broadcast, reason: reasonOf(thrown) }, 'no slate could be made; viewers wait without one');
      }
    }
    this.#preparing = undefined;
    if (this.#called) this.call();
  }

  #enter(): void {
    const { broadcast, tracks, clock, nextEpoch, isWanted, onAir, logger } = this.#options;
    const loops = this.#loops;
    if (loops === undefined || !isWanted()) return;
    logger.info({ broadcast }, 'the slate goes on the air');
    onAir();
    this.#slate = new Slate({ loops, tracks, clock, epoch: nextEpoch() });
    this.#loops = undefined;
  }
}

function orderFor(tracks: SourceTracks, image: string | undefined): SlateOrder {
  const video = tracks.source('video');
  const gop = video?.currentGop ?? [];
  return {
    video: video && { init: gop[0]?.init ?? video.init, keyframe: gop[0], frameRate: frameRateOf(gop) },
    audio: tracks.source('audio')?.init,
    image,
  };
}

/** Measured; the declared rate of a source that has not sent enough. */
function frameRateOf(gop: readonly Fragment[]): number {
  const declared = gop[0]?.init.frameRate ?? DEFAULT_FRAME_RATE;
  const ticks = gop.reduce((sum, { duration }) => sum + duration, 0);
  const timescale = gop[0]?.init.timescale ?? 1;
  if (gop.length < MIN_RATED_FRAMES || ticks === 0) return declared;
  const measured = (gop.length * timescale) / ticks;
  return Math.abs(measured - declared) <= declared * 0.05 ? declared : measured;
}
