import { Menu } from './menu.js';

/** The menu of qualities; hidden while there is nothing to choose. */
export class QualityMenu {
  #menu;

  /**
   * @param {HTMLSelectElement} select
   * @param {HTMLElement} label holds the menu
   * @param {(quality: string) => void} onChosen with the address of a variant, or ''
   */
  constructor(select, label, onChosen) {
    this.#menu = new Menu(select, label, { least: 3, onChosen });
  }

  /** Shows what there is, best first, which one is chosen ('' for none), and which one plays. */
  show(qualities, { chosen, playing }) {
    const automatic = { text: playing?.height ? `Automatic (${playing.height}p)` : 'Automatic', value: '' };
    const options = [...qualities]
      .sort((a, b) => b.bitrate - a.bitrate)
      .map((quality) => ({ text: nameOf(quality), value: quality.uri }));
    this.#menu.show([automatic, ...options], chosen);
  }

  clear() {
    this.#menu.clear();
  }
}

function nameOf({ height, width, bitrate, frameRate }) {
  if (!height) return `Sound only · ${Math.round(bitrate / 1000)} kbit/s`;
  const rate = frameRate > 31 ? Math.round(frameRate) : '';
  return `${Math.min(width, height)}p${rate} · ${(bitrate / 1e6).toFixed(1)} Mbit/s`;
}
