import { element, renderList } from '../dom.js';
import { tableRow } from './table-row.js';

/**
 * Shows the rungs of all ladders, and the ladders that a rung can be added to.
 *
 * @param {{ rows: HTMLElement, ladders: HTMLSelectElement }} places
 * @param {object[]} rungs as the API tells them
 * @param {(path: string) => void} onRemove with the path of the rung in the API
 */
export function showRungs({ rows, ladders }, rungs, onRemove) {
  renderList(
    rows,
    rungs,
    ({ ladder, name }) => `${ladder} ${name}`,
    (rung) => rungRow(rung, onRemove),
  );
  const names = [...new Set(rungs.map(({ ladder }) => ladder))];
  renderList(ladders, names, String, (ladder) => element('option', {}, ladder));
}

function rungRow({ ladder, name, factory, width, height, videoBitrateKbps, audioBitrateKbps }, onRemove) {
  const remove = () => {
    if (!confirm(`Remove the rung "${name}"? Viewers of it are moved to another one.`)) return;
    onRemove(`renditions/${encodeURIComponent(name)}?ladder=${encodeURIComponent(ladder)}`);
  };
  const picture =
    factory === 'passthrough' ? 'as it comes' : width || height ? `${width ?? '…'}×${height ?? '…'}` : 'none';
  return tableRow(
    name,
    ladder,
    picture,
    videoBitrateKbps && `${videoBitrateKbps} kbit/s`,
    audioBitrateKbps && `${audioBitrateKbps} kbit/s`,
    element('button', { type: 'button', className: 'small', onclick: remove }, 'Remove'),
  );
}
