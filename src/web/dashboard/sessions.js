import { element, renderList } from '../dom.js';
import { tableRow } from './table-row.js';
import { durationOf, sizeOf } from './units.js';

const TONES = { active: 'good', running: 'good', failed: 'bad' };

/** What changes in a row all the time; the row itself stays, so that no click is lost. */
const changing = new WeakMap();

/**
 * Shows the sessions of files.
 *
 * @param {HTMLElement} container
 * @param {{ session: object, progress?: object }[]} rows as the API tells them
 * @param {(path: string) => void} onStop with the path of the session in the API
 */
export function showSessions(container, rows, onStop) {
  renderList(
    container,
    rows.map(({ session: { id, source, user, watch, playlist } }) => ({ id, source, user, watch, playlist })),
    ({ id }) => id,
    (session) => sessionRow(session, onStop),
  );
  for (const [at, { session, progress }] of rows.entries()) update(container.children[at], session, progress);
}

function sessionRow({ id, source, user, watch, playlist }, onStop) {
  const cells = { state: element('span'), position: element('span'), encoded: element('span') };
  const stop = () => {
    if (confirm(`End "${source}" for its viewers? What is encoded stays.`))
      onStop(`vod/${encodeURIComponent(id)}?force=true`);
  };
  const row = tableRow(
    user ? `${source} (${user})` : source,
    cells.state,
    cells.position,
    cells.encoded,
    element('a', { href: watch }, 'Watch'),
    element('a', { href: playlist }, 'Playlist'),
    element('button', { type: 'button', className: 'small', onclick: stop }, 'Stop'),
  );
  changing.set(row, cells);
  return row;
}

function update(row, { state, positionMs, durationMs }, progress) {
  const cells = changing.get(row);
  const encoding = progress?.state === 'running' || progress?.state === 'failed' ? progress.state : undefined;
  const shown = encoding === 'running' ? 'encoding' : (encoding ?? state);
  cells.state.textContent = shown;
  cells.state.className = TONES[encoding ?? state] ?? 'soft';
  cells.state.title = progress?.reason ?? '';
  cells.position.textContent = `${durationOf(positionMs)} of ${durationOf(durationMs)}`;
  cells.encoded.replaceChildren(...progressOf(progress));
}

function progressOf(progress) {
  if (progress === undefined || progress.segments === 0) return ['–'];
  const { segments, encoded, bytes, renditions } = progress;
  const title = renditions.map(({ name, encoded: some, segments: all }) => `${name}: ${some} of ${all}`).join('\n');
  const bar = element('progress', { max: segments, value: encoded, title });
  return [bar, ` ${Math.floor((100 * encoded) / segments)} %, ${sizeOf(bytes)}`];
}
