import { element, renderList } from '../dom.js';
import { tableRow } from './table-row.js';

const TONES = { running: 'good', failed: 'bad', 'backing-off': 'warn' };

/** Shows the transcodes that are at work, or not at work for a reason. */
export function showTranscodes(container, transcodes) {
  const keyOf = ({ factory, rendition, broadcast, track }) => [factory, rendition, broadcast, track].join(' ');
  const live = transcodes.filter(({ state, reason }) => state !== 'ended' && !(state === 'skipped' && !reason));
  renderList(container, live, keyOf, transcodeRow);
}

function transcodeRow(transcode) {
  const { broadcast, rendition, track, state, reason, encoder, factory, speed, lagMs, bitrateKbps } = transcode;
  const { fragmentsSeen, fragmentsOut, dropped, restarts, panics } = transcode;
  return tableRow(
    broadcast,
    rendition,
    track,
    element('span', { className: TONES[state] ?? 'soft', title: reason ?? '' }, state),
    encoder ?? factory,
    speed !== undefined && `${speed.toFixed(2)}×`,
    lagMs !== undefined && `${Math.round(lagMs)} ms`,
    bitrateKbps !== undefined && `${Math.round(bitrateKbps)} kbit/s`,
    String(fragmentsSeen),
    String(fragmentsOut),
    String(dropped),
    String(restarts),
    String(panics.start + panics.fragment + panics.stop),
  );
}
