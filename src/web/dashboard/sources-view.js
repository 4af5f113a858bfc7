import { ApiError, call } from '../api.js';
import { element, renderList } from '../dom.js';
import { tableRow } from './table-row.js';

const byId = (id) => document.getElementById(id);

const TONES = { live: 'good', film: 'good', waiting: 'warn', failed: 'bad' };

/** What changes in a row all the time; the row itself stays, so that no click is lost. */
const changing = new WeakMap();

/** Remote sources: what there is, and a form to add one. Hidden where the server pulls none. */
export class SourcesView {
  #form = byId('add-source');
  #remove;

  /**
   * @param {object} options
   * @param {(action: () => Promise<void>) => Promise<string>} options.attempt does something, and tells what went wrong
   * @param {(path: string) => void} options.remove deletes something of the API
   */
  constructor({ attempt, remove }) {
    this.#remove = remove;
    this.#form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const problem = await attempt(() => call('POST', 'sources', entryOf(this.#form)));
      this.#form.querySelector('.problem').textContent = problem;
      if (problem === '') this.#form.reset();
    });
  }

  /** @throws {ApiError} if the server does not answer as it should */
  async refresh() {
    const sources = await call('GET', 'sources').catch((error) => {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    });
    byId('sources').hidden = sources === undefined;
    if (sources === undefined) return;
    byId('source-table').hidden = sources.length === 0;
    const container = byId('source-rows');
    renderList(
      container,
      sources.map(({ name, mode, onDemand, from, user, addresses, playlist, watch }) => ({
        ...{ name, mode, onDemand, from, user, addresses, playlist, watch },
      })),
      ({ name }) => name,
      (source) => this.#row(source),
    );
    sources.forEach((source, at) => update(container.children[at], source));
  }

  #row({ name, mode, onDemand, from, user, addresses, playlist, watch }) {
    const cells = {
      state: element('span'),
      address: element('span', { className: 'brief', title: addresses.join('\n') }),
      viewers: element('span'),
      failovers: element('span'),
    };
    const remove = () => {
      if (confirm(`Remove "${name}"? It ends for all of its viewers.`))
        this.#remove(`sources/${encodeURIComponent(name)}`);
    };
    const row = tableRow(
      user ? `${name} (${user})` : name,
      onDemand ? `${mode}, on demand` : mode,
      cells.state,
      cells.address,
      cells.viewers,
      cells.failovers,
      element('a', { href: watch }, 'Watch'),
      element('a', { href: playlist }, 'Playlist'),
      from === 'config'
        ? element('span', { className: 'soft', title: 'It is in the configuration; remove it there.' }, 'configured')
        : element('button', { type: 'button', className: 'small', onclick: remove }, 'Remove'),
    );
    changing.set(row, cells);
    return row;
  }
}

function update(row, { state, address, addresses, viewers, failovers, lastError }) {
  const cells = changing.get(row);
  const isBad = state === 'failed' || state === 'waiting';
  cells.state.textContent = isBad && lastError ? `${state}: ${lastError.message}` : state;
  cells.state.className = `brief ${TONES[state] ?? 'soft'}`;
  cells.state.title = lastError ? `${lastError.message} (${new Date(lastError.at).toLocaleString()})` : '';
  cells.address.textContent = address ?? addresses[0];
  cells.viewers.textContent = String(viewers);
  cells.failovers.textContent = String(failovers);
}

/** The source that the form describes. */
function entryOf(form) {
  const { name, addresses, mode, onDemand } = Object.fromEntries(new FormData(form));
  const urls = addresses.split(/\s+/).filter(Boolean);
  return { name: name.trim(), mode, onDemand: onDemand === 'on', ...(urls.length === 1 ? { url: urls[0] } : { urls }) };
}
