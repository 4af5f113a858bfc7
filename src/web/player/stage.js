/** The place of the picture. It holds one video element, and for a moment two while one takes over from the other. */
export class Stage {
  #box;

  /** @param {HTMLElement} box with one `video` in it */
  constructor(box) {
    this.#box = box;
  }

  /** The one that is seen and heard. */
  get video() {
    return this.#box.querySelector('#video');
  }

  /** True while the element itself fills the screen or floats: another one could not take its place then. */
  get isPinned() {
    const { video } = this;
    return document.fullscreenElement === video || document.pictureInPictureElement === video;
  }

  /** Hears an event of whichever video is seen. */
  on(event, listener) {
    const heard = ({ target }) => target === this.video && listener();
    this.#box.addEventListener(event, heard, { capture: true });
  }

  /** A second video, silent and beneath the first. */
  addUnder() {
    const video = document.createElement('video');
    Object.assign(video, { playsInline: true, muted: true });
    this.#box.prepend(video);
    return video;
  }

  /** Brings the second video to the front, with the sound and the controls of the first, which goes. */
  bringForward(video) {
    const old = this.video;
    if (old === video) return;
    const { muted, volume, controls } = old;
    old.muted = true;
    old.remove();
    video.id = 'video';
    Object.assign(video, { muted, volume, controls });
    video.dispatchEvent(new Event('volumechange'));
  }
}
