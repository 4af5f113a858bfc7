import { element } from '../dom.js';

/** A row of a table; what is not known is a dash. */
export function tableRow(...cells) {
  return element(
    'tr',
    {},
    ...cells.map((cell) => element('td', {}, cell === undefined || cell === false ? '–' : cell)),
  );
}
