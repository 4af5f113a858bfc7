/** A browser that plays HLS by itself and has no Media Source Extensions (older iPhones): it chooses the quality. */
export class NativePlayer {
  #heard = new AbortController();
  #playlist;

  static get isSupported() {
    return document.createElement('video').canPlayType('application/vnd.apple.mpegurl') !== '';
  }

  /** Takes the same options as `HlsPlayer`. */
  constructor(video, { playlist, onFailed, config }) {
    this.video = video;
    this.#playlist = playlist;
    this.known = undefined;
    this.qualities = [];
    this.quality = '';
    this.playing = undefined;
    this.bandwidthBps = undefined;
    // Its own controls offer those.
    this.sounds = this.subtitles = [];
    this.sound = this.subtitle = -1;
    const startS = config?.startPosition ?? -1;
    // Safari leaves a start position alone that is part of the address.
    video.src = startS > 0 ? `${playlist}#t=${startS}` : playlist;
    video.addEventListener('error', onFailed, { signal: this.#heard.signal });
  }

  choose() {}

  /** It does not tell which one it plays: the multivariant playlist stands for all. */
  get mediaPlaylist() {
    return this.#playlist;
  }

  get latencyS() {
    return this.behindS;
  }

  get behindS() {
    const { seekable, currentTime, duration } = this.video;
    return duration === Infinity && seekable.length > 0
      ? Math.max(0, seekable.end(seekable.length - 1) - currentTime)
      : 0;
  }

  get date() {
    const startMs = this.video.getStartDate?.().getTime();
    return Number.isFinite(startMs) ? new Date(startMs + this.video.currentTime * 1000) : undefined;
  }

  goLive() {
    const { seekable } = this.video;
    if (seekable.length > 0) this.video.currentTime = seekable.end(seekable.length - 1);
  }

  end() {
    this.#heard.abort();
    this.video.removeAttribute('src');
    this.video.load();
  }
}
