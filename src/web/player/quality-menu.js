/** The menu of qualities; hidden while there is nothing to choose. */
export class QualityMenu {
  #select;
  #label;

  /**
   * @param {HTMLSelectElement} select
   * @param {HTMLElement} label holds the menu
   * @param {(quality: string) => void} onChosen with the address of a variant, or ''
   */
  constructor(select, label, onChosen) {
    this.#select = select;
    this.#label = label;
    select.addEventListener('change', () => onChosen(select.value));
  }

  /** Shows what there is, best first, which one is chosen ('' for none), and which one plays. */
  show(qualities, { chosen, playing }) {
    const select = this.#select;
    const automatic = new Option(playing?.height ? `Automatic (${playing.height}p)` : 'Automatic', '');
    const options = [...qualities]
      .sort((a, b) => b.bitrate - a.bitrate)
      .map((quality) => new Option(nameOf(quality), quality.uri));
    const isSame = [automatic, ...options].every(
      ({ text, value }, index) => select.options[index]?.text === text && select.options[index].value === value,
    );
    // A menu that is open stays open.
    if (!isSame || select.options.length !== options.length + 1) select.replaceChildren(automatic, ...options);
    select.value = options.some(({ value }) => value === chosen) ? chosen : '';
    this.#label.hidden = options.length < 2;
  }

  clear() {
    this.#select.replaceChildren();
    this.#label.hidden = true;
  }
}

function nameOf({ height, width, bitrate, frameRate }) {
  if (!height) return `Sound only · ${Math.round(bitrate / 1000)} kbit/s`;
  const rate = frameRate > 31 ? Math.round(frameRate) : '';
  return `${Math.min(width, height)}p${rate} · ${(bitrate / 1e6).toFixed(1)} Mbit/s`;
}
