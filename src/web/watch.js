// The watch page: plays one broadcast, waits for it while it is not there, and starts again when it comes back.
import { BEHIND_S, LivePlayback, playerKind } from './player/live-playback.js';
import { filmPage, probeBroadcast } from './player/playlists.js';
import { QualityMenu } from './player/quality-menu.js';
import { Recording } from './player/recording.js';
import { Stage } from './player/stage.js';

const [, , app, name] = location.pathname.split('/');
const recording = new URLSearchParams(location.search).get('archive');
const POLL_MS = 2_000;
const SHOW_MS = 500;

const byId = (id) => document.getElementById(id);
const stage = new Stage(byId('stage'));
const unmute = byId('unmute');
const title = decodeURIComponent(`${app}/${name}`);
byId('title').textContent = title;
document.body.dataset.kind = recording === null ? 'live' : 'recording';
document.title = `${title} – ${document.body.dataset.kind}`;

/** What plays, or undefined while the page waits. */
let playback;

const menu = new QualityMenu(byId('quality'), byId('quality-label'), (quality) => playback?.choose(quality));

unmute.addEventListener('click', () => {
  stage.video.muted = false;
  if (stage.video.volume === 0) stage.video.volume = 1;
});
byId('live').addEventListener('click', () => {
  playback.player.goLive();
  void stage.video.play();
});
stage.on('volumechange', () => (unmute.hidden = !stage.video.muted));
stage.on('playing', () => {
  show('playing');
  unmute.hidden = !stage.video.muted;
});
// A browser that wants a click first offers its own button beneath the message.
stage.on('loadeddata', () => {
  if (stage.video.paused) show('playing');
});
stage.on('ended', () => {
  if (recording === null) leave(`${title} has ended. If it comes back, it plays here.`);
});
setInterval(showPosition, SHOW_MS);

if (playerKind() === undefined) show('failed', 'This browser cannot play the stream. Please try a current one.');
else if (recording !== null) playRecording();
else {
  show('waiting', `${title} has not started yet. It plays here as soon as it does.`);
  await wait();
}

function show(state, text = '') {
  document.body.dataset.state = state;
  byId('message').textContent = text;
}

/** Looks for the broadcast until it is there, then plays it. A relay, or a broadcast of an app that is called relay. */
async function wait() {
  const places = [`/hls/${app}/${name}/index.m3u8`];
  if (app === 'relay') places.unshift(`/relay/${name}/index.m3u8`);
  for (let look = 0; ; look += 1) {
    const playlist = places[look % places.length];
    const found = await probeBroadcast(playlist);
    if (found === 'live') return playLive(playlist);
    if (found === 'ended') {
      const film = await filmPage(playlist);
      if (film !== undefined) return location.replace(film);
      show('waiting', `${title} has ended. If it comes back, it plays here.`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function playLive(playlist) {
  stage.video.controls = true;
  playback = new LivePlayback(stage, {
    playlist,
    onQualities: showQualities,
    onInterrupted: (interrupted) => {
      const [from, to] = interrupted ? ['playing', 'interrupted'] : ['interrupted', 'playing'];
      if (document.body.dataset.state === from) show(to);
    },
    onGone: (ended) =>
      leave(
        ended
          ? `${title} has ended. If it comes back, it plays here.`
          : 'The stream was interrupted. It goes on as soon as it is back.',
      ),
  });
}

function playRecording() {
  show('waiting', 'The recording is loading.');
  stage.video.controls = true;
  playback = new Recording(stage, {
    playlist: `/hls/${app}/${name}/archives/${encodeURIComponent(recording)}/index.m3u8`,
    onQualities: showQualities,
    onFailed: () => show('failed', 'This recording cannot be played. It may have been deleted.'),
  });
}

/** Ends the playback and goes back to waiting. */
function leave(text) {
  if (playback === undefined) return;
  playback.end();
  playback = undefined;
  menu.clear();
  stage.video.controls = false;
  stage.video.removeAttribute('src');
  stage.video.load();
  showPosition();
  show('waiting', text);
  setTimeout(wait, POLL_MS);
}

function showQualities() {
  if (playback === undefined) return;
  const { qualities, player } = playback;
  menu.show(qualities, { chosen: player.quality, playing: player.playing });
  document.body.dataset.picture = String(player.playing === undefined || player.playing.height > 0);
}

function showPosition() {
  const { latencyS = 0, behindS = 0, date } = playback?.player ?? {};
  const isPlaying = document.body.dataset.state === 'playing';
  const isBehind = isPlaying && behindS > BEHIND_S;
  document.body.dataset.behind = String(isBehind);
  byId('live').hidden = !isBehind;
  byId('latency').textContent = isPlaying && latencyS > 0 ? `${latencyS.toFixed(1)} s behind live` : '';
  byId('date').textContent = isBehind && date ? date.toLocaleTimeString() : '';
  byId('date').dateTime = date?.toISOString() ?? '';
}
