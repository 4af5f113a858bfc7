import { element, renderList } from '../dom.js';
import { watchRecording } from './archives.js';
import { thumbnailOf } from './thumbnail.js';

const TONES = { playable: 'good', starting: 'soft', withheld: 'warn' };
const STATE_TONES = { live: 'good', waiting: 'warn' };

/**
 * Shows the broadcasts.
 *
 * @param {HTMLElement} container
 * @param {object[]} broadcasts as the API tells them
 * @param {(name: string) => void} onEnd when the admin wants one to end
 */
export function showBroadcasts(container, broadcasts, onEnd) {
  const none = { name: '' };
  renderList(
    container,
    broadcasts.length === 0 ? [none] : broadcasts.map(shownOf),
    ({ name }) => name,
    (broadcast) =>
      broadcast.name === ''
        ? element(
            'p',
            { className: 'empty' },
            'Nobody is live. In OBS, set the server to rtmp://THIS-HOST/live and the stream key to NAME?key=SECRET.',
          )
        : broadcastCard(broadcast, onEnd),
  );
}

/** What a card shows: counters that change all the time would make it anew each time. */
function shownOf({ publisher, ...broadcast }) {
  return { ...broadcast, from: publisher && `${publisher.protocol} from ${publisher.remote}` };
}

function broadcastCard(broadcast, onEnd) {
  const { name, state, waitingUntil, archive, playlist, watch, viewers, source, renditions, warnings, from } =
    broadcast;
  const video = source.find(({ track }) => track === 'video');
  const audio = source.find(({ track }) => track === 'audio');
  const facts = [
    from,
    waitingUntil && `the publisher is away; waits until ${new Date(waitingUntil).toLocaleTimeString()}`,
    video &&
      `${video.width}×${video.height}${video.frameRate ? ` at ${Math.round(video.frameRate)} fps` : ''}, ${video.codec}`,
    audio && `${audio.codec}, ${audio.sampleRate / 1000} kHz`,
    `${viewers} watching`,
  ];
  const end = () => {
    if (confirm(`End "${name}" for all viewers? The publisher is cut off.`)) onEnd(name);
  };
  const card = element(
    'div',
    { className: 'facts' },
    element(
      'div',
      { className: 'line' },
      element('h3', {}, name),
      element('span', { className: `tag ${STATE_TONES[state] ?? 'soft'}` }, state),
      element('a', { href: watch }, 'Watch'),
      element('a', { href: playlist }, 'Playlist'),
      archive ? element('a', { href: watchRecording(name, archive) }, 'Recording') : '',
      state === 'ended' ? '' : element('button', { type: 'button', className: 'small', onclick: end }, 'End'),
    ),
    element('p', { className: 'line soft' }, ...facts.filter(Boolean).map((fact) => element('span', {}, fact))),
    element('p', { className: 'line' }, ...renditions.map(rungTag)),
    ...renditions
      .filter(({ state: rungState, reason }) => rungState === 'withheld' && reason)
      .map(({ name: rung, reason }) => element('p', { className: 'warning' }, `${rung}: ${reason}`)),
    ...warnings.map((warning) => element('p', { className: 'warning' }, warning)),
  );
  const picture = state === 'ended' || video === undefined ? '' : thumbnailOf(playlist);
  return element('div', { className: 'broadcast' }, picture, card);
}

function rungTag({ name, state, reason, averageKbps }) {
  return element(
    'span',
    { className: `tag ${TONES[state] ?? ''}`, title: reason ?? state },
    averageKbps ? `${name} · ${Math.round(averageKbps)} kbit/s` : name,
  );
}
