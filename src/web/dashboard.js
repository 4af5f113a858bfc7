// The dashboard: what the REST API tells, refreshed every two seconds.
import { ApiError, call, token } from './api.js';
import { showArchives } from './dashboard/archives.js';
import { showBroadcasts } from './dashboard/broadcasts.js';
import { FilesView } from './dashboard/files-view.js';
import { SourcesView } from './dashboard/sources-view.js';
import { showRungs } from './dashboard/rungs.js';
import { showTranscodes } from './dashboard/transcodes.js';

const REFRESH_MS = 2_000;
const byId = (id) => document.getElementById(id);
const signIn = byId('sign-in');
const addRung = byId('add-rung');
const files = new FilesView({ attempt, remove });
const sources = new SourcesView({ attempt, remove });
let timer;

signIn.addEventListener('submit', (event) => {
  event.preventDefault();
  token.set(signIn.elements.token.value.trim());
  signIn.reset();
  void refresh();
});

byId('leave').addEventListener('click', () => {
  token.forget();
  showSignIn('');
});

addRung.addEventListener('submit', async (event) => {
  event.preventDefault();
  const { ladder, ...fields } = Object.fromEntries(new FormData(addRung));
  const spec = Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => value !== '')
      .map(([key, value]) => [key, key === 'name' ? value : Number(value)]),
  );
  const problem = await attempt(() => call('POST', `renditions?ladder=${encodeURIComponent(ladder)}`, spec));
  addRung.querySelector('.problem').textContent = problem;
  if (problem === '') {
    for (const input of addRung.querySelectorAll('input')) input.value = '';
  }
});

/** Does something, refreshes, and hands back what went wrong, or ''. */
async function attempt(action) {
  try {
    await action();
    await refresh();
    return '';
  } catch (error) {
    return error.message;
  }
}

/** Deletes something of the API. */
async function remove(path) {
  byId('status').textContent = await attempt(() => call('DELETE', path));
}

async function refresh() {
  clearTimeout(timer);
  if (token.get() === null) return showSignIn('');
  try {
    const [broadcasts, rungs, transcodes, archives] = await Promise.all(
      ['broadcasts', 'renditions', 'transcodes', 'archives'].map((path) => call('GET', path)),
    );
    signIn.hidden = true;
    byId('admin').hidden = byId('leave').hidden = false;
    byId('status').textContent = '';
    showBroadcasts(byId('broadcasts'), broadcasts, (name) => remove(`broadcasts/${name}`));
    showRungs({ rows: byId('rungs'), ladders: addRung.elements.ladder }, rungs, remove);
    showTranscodes(byId('transcodes'), transcodes);
    byId('recordings').hidden = archives.length === 0;
    showArchives(byId('archives'), archives, remove);
    await Promise.all([files.refresh(), sources.refresh()]);
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) {
      token.forget();
      return showSignIn('This token is not the right one.');
    }
    byId('status').textContent = error.message;
  }
  timer = setTimeout(refresh, REFRESH_MS);
}

function showSignIn(problem) {
  clearTimeout(timer);
  byId('admin').hidden = byId('leave').hidden = true;
  signIn.hidden = false;
  signIn.querySelector('.problem').textContent = problem;
  signIn.elements.token.focus();
}

void refresh();
