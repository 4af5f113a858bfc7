import { element, renderList } from '../dom.js';
import { tableRow } from './table-row.js';
import { durationOf, sizeOf } from './units.js';

/**
 * Shows the recordings.
 *
 * @param {HTMLElement} container
 * @param {object[]} archives as the API tells them
 * @param {(path: string) => void} onDelete with the path of the recording in the API
 */
export function showArchives(container, archives, onDelete) {
  renderList(
    container,
    archives,
    ({ id }) => id,
    (archive) => archiveRow(archive, onDelete),
  );
}

/** Address of the page that plays a recording. */
export function watchRecording(broadcast, id) {
  return `/watch/${broadcast}?archive=${encodeURIComponent(id)}`;
}

function archiveRow({ id, broadcast, startedAt, durationMs, bytes, playlist }, onDelete) {
  const path = `archives/${encodeURIComponent(id)}`;
  const remove = () => {
    if (confirm(`Delete the recording of "${broadcast}" for good?`)) onDelete(path);
  };
  return tableRow(
    broadcast,
    new Date(startedAt).toLocaleString(),
    durationOf(durationMs),
    sizeOf(bytes),
    element('a', { href: watchRecording(broadcast, id) }, 'Watch'),
    element('a', { href: playlist }, 'Playlist'),
    element('button', { type: 'button', className: 'small', onclick: remove }, 'Delete'),
  );
}
