/** A menu of what there is to choose from; hidden while that is too little. */
export class Menu {
  #select;
  #label;
  #least;

  /**
   * @param {HTMLSelectElement} select
   * @param {HTMLElement} label holds the menu
   * @param {object} options
   * @param {number} options.least how many options make a choice
   * @param {(value: string) => void} options.onChosen
   */
  constructor(select, label, { least, onChosen }) {
    this.#select = select;
    this.#label = label;
    this.#least = least;
    select.addEventListener('change', () => onChosen(select.value));
  }

  /**
   * Shows these options and which one is chosen; the first one, if none of them is.
   *
   * @param {{ text: string, value: string }[]} options
   * @param {string} chosen value
   */
  show(options, chosen) {
    const select = this.#select;
    const isSame =
      select.options.length === options.length &&
      options.every(({ text, value }, at) => select.options[at].text === text && select.options[at].value === value);
    // A menu that is open stays open.
    if (!isSame) select.replaceChildren(...options.map(({ text, value }) => new Option(text, value)));
    select.value = options.some(({ value }) => value === chosen) ? chosen : (options[0]?.value ?? '');
    this.#label.hidden = options.length < this.#least;
  }

  clear() {
    this.show([], '');
  }
}
