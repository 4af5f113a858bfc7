import { playerKind } from './live-playback.js';

/** Plays a broadcast that is over, from its start, as often as the viewer likes. */
export class Recording {
  /**
   * @param {import('./stage.js').Stage} stage
   * @param {object} options
   * @param {string} options.playlist multivariant
   * @param {() => void} options.onQualities when the qualities, or the one that plays, changed
   * @param {() => void} options.onFailed once, when it cannot be played
   */
  constructor(stage, { playlist, onQualities, onFailed }) {
    const Player = playerKind();
    this.player = new Player(stage.video, { playlist, quality: '', onQualities, onFailed });
    stage.video.play().catch(() => undefined);
  }

  get qualities() {
    return this.player.qualities;
  }

  choose(quality) {
    this.player.choose(quality);
  }
}
