import { HlsPlayer } from './hls-player.js';
import { NativePlayer } from './native-player.js';
import { probeBroadcast, readVariants } from './playlists.js';
import { Watchdog } from './watchdog.js';

const LADDER_EVERY_MS = 5_000;
const HANDOVER_EVERY_MS = 10_000;
/** How long a new player has for its first picture. */
const START_MS = 10_000;
const PAUSES_MS = [1_000, 2_000, 4_000, 8_000];
/** A reload has helped once the picture moved for this long. */
const HEALTHY_MS = 10_000;
/** The seam between two players is closed up to this far. */
const SEAM_S = { least: 0.05, most: 4 };
/** Beyond this a viewer has gone back on purpose. */
export const BEHIND_S = 10;

/** The kind of player that this browser can have, if any. */
export function playerKind() {
  return [HlsPlayer, NativePlayer].find(({ isSupported }) => isSupported);
}

/**
 * Plays a live broadcast for as long as it lasts. When a player cannot go on, or more qualities are offered than it knows,
 * another one starts at the live edge beneath it, and the picture passes to that one as soon as it plays. So the last
 * picture stays until there is a newer one, and sound, quality and controls stay as the viewer left them.
 */
export class LivePlayback {
  #stage;
  #options;
  #player;
  #next;
  #watchdog;
  #ladderTimer;
  #listed;
  #quality = '';
  #reloading = false;
  #reloads = 0;
  #movingSinceMs;
  #startedMs = 0;
  #ended = false;

  /**
   * @param {import('./stage.js').Stage} stage
   * @param {object} options
   * @param {string} options.playlist multivariant
   * @param {() => void} options.onQualities when the qualities, or the one that plays, changed
   * @param {(interrupted: boolean) => void} options.onInterrupted when the broadcast stands still, and when it goes on
   * @param {(ended: boolean) => void} options.onGone once, when there is nothing more to play; `ended`: it came to its end
   */
  constructor(stage, options) {
    this.#stage = stage;
    this.#options = options;
    this.#player = this.#open(stage.video);
    this.#watchdog = new Watchdog({
      player: () => this.#player,
      onMoving: () => this.#moving(),
      onInterrupted: () => options.onInterrupted(true),
      onStandstill: () => void this.#reload(),
    });
    this.#ladderTimer = setInterval(() => void this.#followLadder(), LADDER_EVERY_MS);
  }

  /** What is seen. */
  get player() {
    return this.#player;
  }

  /** What the viewer can choose from. */
  get qualities() {
    return this.#player.qualities.filter(({ uri }) => this.#listed?.includes(uri) !== false);
  }

  /** @param {string} quality address; '' leaves the choice to the player */
  choose(quality) {
    this.#quality = quality;
    this.#player.choose(quality);
  }

  end() {
    this.#ended = true;
    clearInterval(this.#ladderTimer);
    this.#watchdog.end();
    this.#discardNext();
    this.#player.end();
  }

  #open(video) {
    const Player = playerKind();
    this.#startedMs = performance.now();
    const player = new Player(video, {
      playlist: this.#options.playlist,
      quality: this.#quality,
      bandwidthBps: this.#player?.bandwidthBps,
      onFailed: () => (player === this.#player ? void this.#reload() : this.#discardNext()),
      onQualities: () => {
        if (player === this.#player) this.#options.onQualities();
      },
    });
    video.play().catch(() => undefined);
    return player;
  }

  #moving() {
    const nowMs = performance.now();
    this.#movingSinceMs ??= nowMs;
    if (nowMs - this.#movingSinceMs > HEALTHY_MS) this.#reloads = 0;
    this.#options.onInterrupted(false);
  }

  /** Starts again at the live edge after a pause, as long as there is something to play. */
  async #reload() {
    if (this.#reloading || this.#next !== undefined) return;
    this.#reloading = true;
    this.#movingSinceMs = undefined;
    const pauseMs = PAUSES_MS[Math.min(this.#reloads, PAUSES_MS.length - 1)];
    this.#reloads += 1;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const found = await probeBroadcast(this.#options.playlist);
    this.#reloading = false;
    if (this.#ended) return;
    if (found === 'live') this.#handOver();
    else this.#options.onGone(found === 'ended');
  }

  /** Lets a new player take over. An element that fills the screen by itself stays: its picture breaks for a moment. */
  #handOver() {
    if (this.#stage.isPinned || playerKind() === NativePlayer) {
      this.#player.end();
      this.#player = this.#open(this.#stage.video);
      this.#watchdog.reset();
      return;
    }
    const video = this.#stage.addUnder();
    const next = this.#open(video);
    this.#next = next;
    const late = setTimeout(() => this.#discardNext(next), START_MS);
    video.addEventListener(
      'playing',
      async () => {
        await closeSeam(this.#player, next);
        clearTimeout(late);
        if (this.#next === next) this.#takeOver();
      },
      { once: true },
    );
  }

  #takeOver() {
    const old = this.#player;
    this.#player = this.#next;
    this.#next = undefined;
    this.#stage.bringForward(this.#player.video);
    old.end();
    this.#watchdog.reset();
    this.#options.onQualities();
  }

  #discardNext(only = this.#next) {
    if (this.#next === undefined || this.#next !== only) return;
    this.#next.end();
    this.#next.video.remove();
    this.#next = undefined;
  }

  /** Takes up qualities that were added, while the viewer is at the live edge and would not notice. */
  async #followLadder() {
    const listed = await readVariants(this.#options.playlist);
    if (this.#ended || listed === undefined) return;
    this.#listed = listed;
    this.#options.onQualities();
    const { known, behindS, video } = this.#player;
    if (known === undefined) return;
    const isNoticed = video.paused || document.hidden || behindS > BEHIND_S || this.#stage.isPinned;
    const isEarly = performance.now() - this.#startedMs < HANDOVER_EVERY_MS;
    const isBusy = this.#reloading || this.#next !== undefined || playerKind() === NativePlayer;
    if (isNoticed || isEarly || isBusy) return;
    if (listed.some((uri) => !known.has(uri))) this.#handOver();
  }
}

/** Moves the new player on to where the old one is, so that nothing is seen twice; what it is ahead is skipped. */
async function closeSeam(old, next) {
  if (old.date === undefined || next.date === undefined) return;
  const missingS = (old.date - next.date) / 1000;
  const { video } = next;
  const targetS = video.currentTime + missingS;
  const { buffered } = video;
  const isBuffered = buffered.length > 0 && targetS < buffered.end(buffered.length - 1) - 0.1;
  if (missingS < SEAM_S.least || missingS > SEAM_S.most || !isBuffered) return;
  await new Promise((resolve) => {
    setTimeout(resolve, 1_000);
    video.addEventListener('seeked', resolve, { once: true });
    video.currentTime = targetS;
  });
}
