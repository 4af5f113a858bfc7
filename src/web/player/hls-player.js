/** How fast it may play to get closer to the live edge; slow enough not to be heard. */
const CATCH_UP_RATE = 1.08;

/**
 * One life of hls.js on one video element: from loading the playlist until `end()`, or until it fails for good.
 */
export class HlsPlayer {
  #hls;
  #video;
  #wanted;

  static get isSupported() {
    return window.Hls?.isSupported() === true;
  }

  /**
   * @param {HTMLVideoElement} video
   * @param {object} options
   * @param {string} options.playlist multivariant
   * @param {string} options.quality address of the chosen variant; '' leaves the choice to the player
   * @param {number} [options.bandwidthBps] what is known of the line
   * @param {() => void} options.onFailed once, when it cannot go on
   * @param {() => void} options.onQualities when the qualities, or the one that plays, changed
   * @param {() => void} [options.onTracks] when the sounds or the subtitles, or those that are on, changed
   * @param {object} [options.config] further settings of hls.js
   */
  constructor(video, { playlist, quality, bandwidthBps, onFailed, onQualities, onTracks, config }) {
    const { Hls } = window;
    this.#video = video;
    this.#wanted = quality;
    const hls = new Hls({
      workerPath: '/assets/hls.worker.js',
      lowLatencyMode: true,
      maxLiveSyncPlaybackRate: CATCH_UP_RATE,
      backBufferLength: 30,
      ...(bandwidthBps && { abrEwmaDefaultEstimate: bandwidthBps }),
      ...config,
    });
    this.#hls = hls;
    /** Addresses of all that the multivariant playlist offered when it was loaded; `undefined` before. */
    this.known = undefined;
    hls.on(Hls.Events.MANIFEST_LOADED, (_event, { levels, audioTracks }) => {
      this.known = new Set([...levels, ...audioTracks].map(({ url }) => [url].flat()[0]));
    });
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      if (this.#wanted !== '') this.choose(this.#wanted);
      onQualities();
    });
    hls.on(Hls.Events.LEVELS_UPDATED, onQualities);
    hls.on(Hls.Events.LEVEL_SWITCHED, onQualities);
    if (onTracks !== undefined) {
      const { AUDIO_TRACKS_UPDATED, AUDIO_TRACK_SWITCHING, SUBTITLE_TRACKS_UPDATED, SUBTITLE_TRACK_SWITCH } =
        Hls.Events;
      const events = [AUDIO_TRACKS_UPDATED, AUDIO_TRACK_SWITCHING, SUBTITLE_TRACKS_UPDATED, SUBTITLE_TRACK_SWITCH];
      for (const event of events) hls.on(event, onTracks);
    }
    hls.on(Hls.Events.ERROR, (_event, { fatal }) => {
      if (fatal) onFailed();
    });
    hls.loadSource(playlist);
    hls.attachMedia(video);
  }

  get video() {
    return this.#video;
  }

  /** @returns {{ uri: string, width: number, height: number, bitrate: number, frameRate: number }[]} */
  get qualities() {
    return this.#hls.levels.filter(({ loadError }) => loadError === 0);
  }

  /** Address of the chosen one; '' when the player chooses. One that is taken away is left for the player's own choice. */
  get quality() {
    const { autoLevelEnabled, levels, manualLevel } = this.#hls;
    return autoLevelEnabled ? '' : (levels[manualLevel]?.uri ?? '');
  }

  /** What is seen now, if anything. */
  get playing() {
    return this.#hls.levels[this.#hls.currentLevel];
  }

  /** @param {string} quality address; '' or an unknown one leaves the choice to the player */
  choose(quality) {
    this.#wanted = quality;
    const level = this.#hls.levels.findIndex(({ uri }) => uri === quality);
    this.#hls.nextLevel = level;
  }

  /** Names of the sounds. */
  get sounds() {
    return this.#hls.audioTracks.map(({ name }) => name);
  }

  /** Index of the one that is heard. */
  get sound() {
    return this.#hls.audioTrack;
  }

  set sound(index) {
    this.#hls.audioTrack = index;
  }

  /** Names of the subtitles. */
  get subtitles() {
    return this.#hls.subtitleTracks.map(({ name }) => name);
  }

  /** Index of those that are shown; -1 if none are. */
  get subtitle() {
    return this.#hls.subtitleDisplay ? this.#hls.subtitleTrack : -1;
  }

  set subtitle(index) {
    this.#hls.subtitleDisplay = index >= 0;
    this.#hls.subtitleTrack = index;
  }

  /** Media playlist of what plays. */
  get mediaPlaylist() {
    return (this.playing ?? this.#hls.levels[0])?.uri;
  }

  get bandwidthBps() {
    return this.#hls.bandwidthEstimate;
  }

  /** Behind the live edge; 0 while that is not known, or for a recording. */
  get latencyS() {
    return this.#hls.latestLevelDetails?.live ? this.#hls.latency : 0;
  }

  /** How much further behind than it would be by itself. */
  get behindS() {
    return this.latencyS === 0 ? 0 : this.latencyS - (this.#hls.targetLatency ?? 0);
  }

  /** Wall-clock time of the picture. */
  get date() {
    return this.#hls.playingDate ?? undefined;
  }

  goLive() {
    const positionS = this.#hls.liveSyncPosition;
    if (positionS !== null) this.#video.currentTime = positionS;
  }

  end() {
    this.#hls.destroy();
  }
}
