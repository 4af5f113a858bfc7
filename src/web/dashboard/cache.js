import { element, renderList } from '../dom.js';
import { tableRow } from './table-row.js';
import { sizeOf } from './units.js';

const MAX_ROWS = 200;

/**
 * Shows how full the cache of encoded files is, how well it serves, and what is in it.
 *
 * @param {{ figures: HTMLElement, rows: HTMLElement }} places
 * @param {object} cache as the API tells it
 * @param {(path: string) => void} onDelete with the path of an entry in the API
 */
export function showCache({ figures, rows }, { budget, totals, entries }, onDelete) {
  const { maxBytes, usedBytes, liveBytes } = budget;
  figures.replaceChildren(
    element('meter', { max: maxBytes, value: usedBytes, title: 'Disk in use' }),
    ...[
      `${sizeOf(usedBytes)} of ${sizeOf(maxBytes)}`,
      `${sizeOf(liveBytes)} of it live`,
      `${totals.entries} renditions, ${totals.completeEntries} complete`,
      `${totals.hits} found whole, ${totals.partialHits} in part, ${totals.misses} not`,
      `${totals.evictions} made room`,
    ].map((fact) => element('span', { className: 'soft' }, fact)),
  );
  renderList(
    rows,
    entries.slice(0, MAX_ROWS),
    ({ key }) => key,
    (entry) => entryRow(entry, onDelete),
  );
}

function entryRow(entry, onDelete) {
  const { key, sourceLabel, quality, segments, segmentCount, isComplete, isPinned, bytes, hits, lastUsedAt } = entry;
  const remove = () => {
    if (
      confirm(`Delete what is encoded of "${sourceLabel}", ${quality}? It is encoded again when somebody plays it.`)
    ) {
      onDelete(`cache/${key}`);
    }
  };
  return tableRow(
    sourceLabel,
    quality,
    isComplete ? `all ${segmentCount}` : `${segments} of ${segmentCount}`,
    sizeOf(bytes),
    String(hits),
    new Date(lastUsedAt).toLocaleString(),
    isPinned
      ? element('span', { className: 'good' }, 'in use')
      : element('button', { type: 'button', className: 'small', onclick: remove }, 'Delete'),
  );
}
