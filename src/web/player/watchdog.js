import { readLiveEdge } from './playlists.js';

const TICK_MS = 500;
/** A stall shorter than this is the player's own business. */
const PATIENCE_MS = 1_500;
const INTERRUPTED_MS = 4_000;
const STANDSTILL_MS = 6_000;
/** Where a viewer has jumped to may take longer to come. */
const SEEKING_STANDSTILL_MS = 15_000;
const EDGE_EVERY_MS = 1_000;
/** Not every player tells that it has reached the end. */
const NEAR_END_S = 1;

/**
 * Watches whether the picture moves. If it stands still for some seconds, it asks the media playlist whose fault that is:
 * a playlist that stands still too means that the publisher is away, one that goes on or is over means that the player is stuck.
 */
export class Watchdog {
  #options;
  #timer;
  #asking = false;
  #positionS = -1;
  #sinceMs = 0;
  #askedMs = 0;
  #firstPosition;

  /**
   * @param {object} options
   * @param {() => { video: HTMLVideoElement, mediaPlaylist: string | undefined } | undefined} options.player
   * @param {() => void} options.onInterrupted while neither picture nor playlist go on
   * @param {() => void} options.onMoving while the picture moves
   * @param {() => void} options.onStandstill while only the picture stands still, for too long
   */
  constructor(options) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#tick(), TICK_MS);
  }

  /** Begins anew, as if the picture had just moved. */
  reset() {
    this.#sinceMs = performance.now();
    this.#firstPosition = undefined;
  }

  end() {
    clearInterval(this.#timer);
  }

  async #tick() {
    const { player, onMoving } = this.#options;
    const video = player()?.video;
    if (video === undefined || document.hidden || video.paused || video.ended) return this.reset();
    if (video.currentTime !== this.#positionS) {
      this.#positionS = video.currentTime;
      this.reset();
      return onMoving();
    }
    const nowMs = performance.now();
    const stillMs = nowMs - this.#sinceMs;
    if (stillMs < PATIENCE_MS || this.#asking || nowMs - this.#askedMs < EDGE_EVERY_MS) return;
    await this.#ask(stillMs, nowMs);
  }

  async #ask(stillMs, nowMs) {
    const { player, onInterrupted, onStandstill } = this.#options;
    const { video, mediaPlaylist } = player();
    if (mediaPlaylist === undefined) return;
    this.#asking = true;
    this.#askedMs = nowMs;
    const sinceMs = this.#sinceMs;
    const edge = await readLiveEdge(mediaPlaylist);
    this.#asking = false;
    if (sinceMs !== this.#sinceMs) return;
    if (edge?.isOver) {
      if (stillMs >= STANDSTILL_MS || video.duration - video.currentTime < NEAR_END_S) onStandstill();
      return;
    }
    this.#firstPosition ??= edge?.position;
    if (edge !== undefined && edge.position !== this.#firstPosition) {
      if (stillMs >= (video.seeking ? SEEKING_STANDSTILL_MS : STANDSTILL_MS)) onStandstill();
    } else if (stillMs >= INTERRUPTED_MS) onInterrupted();
  }
}
