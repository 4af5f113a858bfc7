import { ApiError, call } from '../api.js';
import { showCache } from './cache.js';
import { MediaBrowser } from './media-browser.js';
import { showSessions } from './sessions.js';

/** Sessions whose progress is asked for each time. */
const MAX_PROGRESS = 20;
const byId = (id) => document.getElementById(id);

/** What the dashboard shows of files: folders to play from, sessions, the cache. Hidden where the server plays none. */
export class FilesView {
  #form = byId('play');
  #browser;
  #remove;
  #attempt;

  /**
   * @param {object} options
   * @param {(action: () => Promise<void>) => Promise<string>} options.attempt does something, and tells what went wrong
   * @param {(path: string) => void} options.remove deletes something of the API
   */
  constructor({ attempt, remove }) {
    this.#attempt = attempt;
    this.#remove = remove;
    this.#browser = new MediaBrowser(
      { crumbs: byId('crumbs'), rows: byId('media') },
      {
        onPlay: (source) => void this.#play({ source }),
        onEncode: (source) => void this.#tell(() => call('POST', 'vod', { source, fill: true })),
        onProblem: (problem) => this.#showProblem(problem),
      },
    );
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const { source, burn } = Object.fromEntries(new FormData(this.#form));
      void this.#play({ source: source.trim(), ...(burn !== '' && { subtitles: { burn: Number(burn) } }) });
    });
  }

  /** @throws {ApiError} if the server does not answer as it should */
  async refresh() {
    const known = await Promise.all([call('GET', 'vod'), call('GET', 'cache')]).catch((error) => {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    });
    byId('files').hidden = byId('cache').hidden = known === undefined;
    byId('films').hidden = known === undefined || known[0].length === 0;
    if (known === undefined) return;
    const [sessions, cache] = known;
    this.#browser.open();
    const rows = await Promise.all(
      sessions.map(async (session, at) => ({ session, ...(await progressOf(session, at)) })),
    );
    showSessions(byId('sessions'), rows, this.#remove);
    showCache({ figures: byId('cache-figures'), rows: byId('entries') }, cache, this.#remove);
  }

  #play(request) {
    return this.#tell(async () => location.assign((await call('POST', 'vod', request)).watch));
  }

  async #tell(action) {
    this.#showProblem('');
    this.#showProblem(await this.#attempt(action));
  }

  #showProblem(problem) {
    this.#form.querySelector('.problem').textContent = problem;
  }
}

async function progressOf({ id, state }, at) {
  if (state !== 'active' || at >= MAX_PROGRESS) return {};
  // It may have ended a moment ago.
  const progress = await call('GET', `vod/${encodeURIComponent(id)}/progress`).catch(() => undefined);
  return progress === undefined ? {} : { progress };
}
