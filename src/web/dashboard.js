// The dashboard: what the REST API tells, refreshed every two seconds.
import { ApiError, call, token } from './api.js';
import { element, renderList } from './dom.js';

const REFRESH_MS = 2_000;
const byId = (id) => document.getElementById(id);
const signIn = byId('sign-in');
const addRung = byId('add-rung');
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

async function refresh() {
  clearTimeout(timer);
  if (token.get() === null) return showSignIn('');
  try {
    const [broadcasts, rungs, transcodes] = await Promise.all(
      ['broadcasts', 'renditions', 'transcodes'].map((path) => call('GET', path)),
    );
    signIn.hidden = true;
    byId('admin').hidden = byId('leave').hidden = false;
    byId('status').textContent = '';
    showBroadcasts(broadcasts);
    showRungs(rungs);
    showTranscodes(transcodes);
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

function showBroadcasts(broadcasts) {
  const none = { name: '' };
  renderList(
    byId('broadcasts'),
    broadcasts.length === 0 ? [none] : broadcasts,
    ({ name }) => name,
    (broadcast) =>
      broadcast === none
        ? element(
            'p',
            { className: 'empty' },
            'Nobody is live. In OBS, set the server to rtmp://THIS-HOST/live and the stream key to NAME?key=SECRET.',
          )
        : broadcastCard(broadcast),
  );
}

function broadcastCard({ name, state, playlist, watch, viewers, source, renditions, warnings, publisher }) {
  const video = source.find(({ track }) => track === 'video');
  const audio = source.find(({ track }) => track === 'audio');
  const facts = [
    publisher && `${publisher.protocol} from ${publisher.remote}`,
    video &&
      `${video.width}×${video.height}${video.frameRate ? ` at ${Math.round(video.frameRate)} fps` : ''}, ${video.codec}`,
    audio && `${audio.codec}, ${audio.sampleRate / 1000} kHz`,
    `${viewers} watching`,
  ];
  const tone = { playable: 'good', starting: 'soft', withheld: 'warn' };
  return element(
    'div',
    { className: 'broadcast' },
    element(
      'div',
      { className: 'line' },
      element('h3', {}, name),
      element('span', { className: state === 'live' ? 'tag good' : 'tag soft' }, state),
      element('a', { href: watch }, 'Watch'),
      element('a', { href: playlist }, 'Playlist'),
    ),
    element('p', { className: 'line soft' }, ...facts.filter(Boolean).map((fact) => element('span', {}, fact))),
    element(
      'p',
      { className: 'line' },
      ...renditions.map(({ name: rung, state: rungState, reason, averageKbps }) =>
        element(
          'span',
          { className: `tag ${tone[rungState] ?? ''}`, title: reason ?? rungState },
          averageKbps ? `${rung} · ${Math.round(averageKbps)} kbit/s` : rung,
        ),
      ),
    ),
    ...renditions
      .filter(({ state: rungState, reason }) => rungState === 'withheld' && reason)
      .map(({ name: rung, reason }) => element('p', { className: 'warning' }, `${rung}: ${reason}`)),
    ...warnings.map((warning) => element('p', { className: 'warning' }, warning)),
  );
}

function showRungs(rungs) {
  renderList(byId('rungs'), rungs, ({ ladder, name }) => `${ladder} ${name}`, rungRow);
  const ladders = [...new Set(rungs.map(({ ladder }) => ladder))];
  renderList(addRung.elements.ladder, ladders, String, (ladder) => element('option', {}, ladder));
}

function rungRow({ ladder, name, factory, width, height, videoBitrateKbps, audioBitrateKbps }) {
  const path = `renditions/${encodeURIComponent(name)}?ladder=${encodeURIComponent(ladder)}`;
  const remove = async () => {
    if (!confirm(`Remove the rung "${name}"? Viewers of it are moved to another one.`)) return;
    byId('status').textContent = await attempt(() => call('DELETE', path));
  };
  const picture =
    factory === 'passthrough' ? 'as it comes' : width || height ? `${width ?? '…'}×${height ?? '…'}` : 'none';
  return row(
    name,
    ladder,
    picture,
    videoBitrateKbps && `${videoBitrateKbps} kbit/s`,
    audioBitrateKbps && `${audioBitrateKbps} kbit/s`,
    element('button', { type: 'button', onclick: remove }, 'Remove'),
  );
}

function showTranscodes(transcodes) {
  const keyOf = ({ factory, rendition, broadcast, track }) => [factory, rendition, broadcast, track].join(' ');
  const live = transcodes.filter(({ state, reason }) => state !== 'ended' && !(state === 'skipped' && !reason));
  renderList(byId('transcodes'), live, keyOf, transcodeRow);
}

function transcodeRow(transcode) {
  const { broadcast, rendition, track, state, reason, encoder, factory, speed, lagMs, bitrateKbps } = transcode;
  const { fragmentsSeen, fragmentsOut, dropped, restarts, panics } = transcode;
  const tone = { running: 'good', failed: 'bad', 'backing-off': 'warn' }[state] ?? 'soft';
  return row(
    broadcast,
    rendition,
    track,
    element('span', { className: tone, title: reason ?? '' }, state),
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

function row(...cells) {
  return element(
    'tr',
    {},
    ...cells.map((cell) => element('td', {}, cell === undefined || cell === false ? '–' : cell)),
  );
}

void refresh();
