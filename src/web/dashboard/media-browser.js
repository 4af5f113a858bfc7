import { call } from '../api.js';
import { element, renderList } from '../dom.js';
import { tableRow } from './table-row.js';
import { sizeOf } from './units.js';

/** The folders that files may be played from. */
export class MediaBrowser {
  #places;
  #options;
  #isOpen = false;

  /**
   * @param {{ crumbs: HTMLElement, rows: HTMLElement }} places
   * @param {object} options
   * @param {(source: string) => void} options.onPlay
   * @param {(source: string) => void} options.onEncode when all of a file is to be encoded ahead of time
   * @param {(problem: string) => void} options.onProblem
   */
  constructor(places, options) {
    this.#places = places;
    this.#options = options;
  }

  /** Shows the media roots, unless a folder is shown already. */
  open() {
    if (!this.#isOpen) void this.#go('');
    this.#isOpen = true;
  }

  async #go(path) {
    try {
      this.#show(await call('GET', `media?path=${encodeURIComponent(path)}`));
      this.#options.onProblem('');
    } catch (error) {
      this.#options.onProblem(error.message);
    }
  }

  #show({ path, entries, isCut }) {
    const names = path === '' ? [] : path.split('/');
    const crumbs = names.map((name, at) => [name, names.slice(0, at + 1).join('/')]);
    this.#places.crumbs.replaceChildren(
      ...[['Folders', ''], ...crumbs].map(([name, to]) =>
        to === path ? element('strong', {}, name) : this.#link(name, to),
      ),
    );
    const empty = {
      name: path === '' ? 'No folder is configured: set mediaRoots.' : 'Nothing to play here.',
      kind: '',
    };
    const more = { name: 'There is more; the rest is left out.', kind: '' };
    const rows = [...(entries.length === 0 ? [empty] : entries), ...(isCut ? [more] : [])];
    renderList(
      this.#places.rows,
      rows.map((row) => ({ ...row, source: path === '' ? row.name : `${path}/${row.name}` })),
      ({ source }) => source,
      (row) => this.#row(row),
    );
  }

  #row({ name, kind, source, sizeBytes }) {
    if (kind === '') return tableRow(element('span', { className: 'empty' }, name));
    if (kind === 'folder') return tableRow(this.#link(`${name}/`, source), '', '', '');
    const button = (text, onclick) => element('button', { type: 'button', className: 'small', onclick }, text);
    return tableRow(
      name,
      sizeOf(sizeBytes),
      button('Play', () => this.#options.onPlay(source)),
      button('Encode ahead', () => this.#options.onEncode(source)),
    );
  }

  #link(text, path) {
    return element('button', { type: 'button', className: 'link', onclick: () => void this.#go(path) }, text);
  }
}
