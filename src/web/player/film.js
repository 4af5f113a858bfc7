import { playerKind } from './live-playback.js';

/** What a server has to encode first may take a while to come; what it refuses is the page's business after a few seconds. */
const PATIENCE = {
  maxTimeToFirstByteMs: 30_000,
  maxLoadTimeMs: 120_000,
  timeoutRetry: { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 },
  errorRetry: { maxNumRetry: 2, retryDelayMs: 1_000, maxRetryDelayMs: 4_000 },
};

/** Plays a file from any place of it, with its sounds and subtitles. */
export class Film {
  /**
   * @param {import('./stage.js').Stage} stage
   * @param {object} options
   * @param {string} options.playlist multivariant
   * @param {number} options.startS where to begin
   * @param {string} options.quality address of the chosen variant; '' leaves the choice to the player
   * @param {() => void} options.onQualities when the qualities, or the one that plays, changed
   * @param {() => void} options.onTracks when the sounds or the subtitles, or those that are on, changed
   * @param {() => void} options.onFailed once, when it cannot go on
   */
  constructor(stage, { playlist, startS, quality, onQualities, onTracks, onFailed }) {
    const Player = playerKind();
    const config = { startPosition: startS, lowLatencyMode: false, fragLoadPolicy: { default: PATIENCE } };
    this.player = new Player(stage.video, { playlist, quality, onQualities, onTracks, onFailed, config });
    this.#play(stage.video);
  }

  /** A variant for each group of sounds counts as one quality. */
  get qualities() {
    return [...new Map(this.player.qualities.map((quality) => [quality.uri, quality])).values()];
  }

  choose(quality) {
    this.player.choose(quality);
  }

  end() {
    this.player.end();
  }

  /** Without sound, should the browser want a click for that. */
  #play(video) {
    video.play().catch((error) => {
      if (error.name !== 'NotAllowedError') return;
      video.muted = true;
      video.play().catch(() => undefined);
    });
  }
}
