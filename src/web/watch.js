// The watch page: plays one broadcast, waits for it while it is not there, and starts again when it comes back.
import { probeBroadcast } from './probe.js';

const [, , app, name] = location.pathname.split('/');
const playlist = `/hls/${app}/${name}/index.m3u8`;
const POLL_MS = 2_000;
const RECOVERIES = 3;

const video = document.getElementById('video');
const quality = document.getElementById('quality');
const qualityLabel = document.getElementById('quality-label');
const unmute = document.getElementById('unmute');
const title = decodeURIComponent(`${app}/${name}`);
document.getElementById('title').textContent = title;
document.title = `${title} – live`;

/** The running player, or undefined while the page waits. */
let player;

show('waiting', `${title} has not started yet. It plays here as soon as it does.`);
await wait();

function show(state, text = '') {
  document.body.dataset.state = state;
  document.getElementById('message').textContent = text;
}

/** Looks for the broadcast until it is there, then plays it. */
async function wait() {
  for (;;) {
    const found = await probeBroadcast(playlist);
    if (found === 'live') return play();
    if (found === 'ended') show('waiting', `${title} has ended. If it comes back, it plays here.`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function play() {
  if (window.Hls?.isSupported()) player = playWithHls();
  else if (video.canPlayType('application/vnd.apple.mpegurl')) player = playNatively();
  else return show('failed', 'This browser cannot play the stream. Please try a current one.');
  video.controls = true;
  video.play().catch(() => undefined);
}

/** Ends the player and goes back to waiting. */
function leave(text) {
  if (player === undefined) return;
  player.end();
  player = undefined;
  qualityLabel.hidden = true;
  quality.replaceChildren();
  video.controls = false;
  video.removeAttribute('src');
  video.load();
  document.getElementById('latency').textContent = '';
  show('waiting', text);
  setTimeout(wait, POLL_MS);
}

function playWithHls() {
  const { Hls } = window;
  const hls = new Hls({
    workerPath: '/assets/hls.worker.js',
    lowLatencyMode: true,
    liveSyncDuration: 5,
    liveMaxLatencyDuration: 15,
    maxLiveSyncPlaybackRate: 1.05,
    backBufferLength: 30,
  });
  let recoveries = 0;
  hls.on(Hls.Events.MANIFEST_PARSED, () => fillQualities(hls));
  hls.on(Hls.Events.LEVELS_UPDATED, () => fillQualities(hls));
  hls.on(Hls.Events.LEVEL_SWITCHED, () => {
    // A quality that was taken away is left by the player itself, which goes back to choosing.
    if (hls.autoLevelEnabled) quality.value = '';
    fillQualities(hls);
  });
  hls.on(Hls.Events.ERROR, (_event, { fatal, type }) => {
    if (!fatal) return;
    recoveries += 1;
    if (type === Hls.ErrorTypes.MEDIA_ERROR && recoveries <= RECOVERIES) hls.recoverMediaError();
    else leave('The stream was interrupted. It goes on as soon as it is back.');
  });
  hls.loadSource(playlist);
  hls.attachMedia(video);
  return { end: () => hls.destroy(), latencyS: () => hls.latency, hls };
}

function playNatively() {
  video.src = playlist;
  const failed = () => leave('The stream was interrupted. It goes on as soon as it is back.');
  video.addEventListener('error', failed, { once: true });
  return { end: () => video.removeEventListener('error', failed), latencyS: () => 0 };
}

function fillQualities(hls) {
  const chosen = quality.value;
  const options = hls.levels
    .filter(({ loadError }) => loadError === 0)
    .sort((a, b) => b.bitrate - a.bitrate)
    .map((level) => new Option(nameOf(level), idOf(level)));
  quality.replaceChildren(new Option('Automatic', ''), ...options);
  quality.value = options.some(({ value }) => value === chosen) ? chosen : '';
  qualityLabel.hidden = options.length < 2;
  labelAutomatic(hls);
}

/** Stays the same when other levels come or go, unlike the index. */
function idOf({ uri }) {
  return uri;
}

function nameOf({ height, width, bitrate, frameRate }) {
  if (!height) return `Sound only · ${Math.round(bitrate / 1000)} kbit/s`;
  const rate = frameRate > 31 ? Math.round(frameRate) : '';
  return `${Math.min(width, height)}p${rate} · ${(bitrate / 1e6).toFixed(1)} Mbit/s`;
}

function labelAutomatic(hls) {
  const level = hls.levels[hls.currentLevel];
  const [automatic] = quality.options;
  if (automatic !== undefined) automatic.text = level?.height ? `Automatic (${level.height}p)` : 'Automatic';
}

quality.addEventListener('change', () => {
  const { hls } = player ?? {};
  if (hls) hls.nextLevel = hls.levels.findIndex((level) => idOf(level) === quality.value);
});
unmute.addEventListener('click', () => {
  video.muted = false;
  if (video.volume === 0) video.volume = 1;
});
video.addEventListener('volumechange', () => (unmute.hidden = !video.muted));
video.addEventListener('playing', () => {
  show('playing');
  unmute.hidden = !video.muted;
});
video.addEventListener('ended', () => leave(`${title} has ended. If it comes back, it plays here.`));
setInterval(() => {
  const latencyS = player?.latencyS() ?? 0;
  document.getElementById('latency').textContent = latencyS > 0 ? `${latencyS.toFixed(1)} s behind live` : '';
}, 500);
