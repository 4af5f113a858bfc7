// The page that plays a file: from where its viewer was, in any quality, with any of its sounds and subtitles.
import { FilmSession } from './player/film-session.js';
import { Film } from './player/film.js';
import { listenToKeys } from './player/keys.js';
import { playerKind } from './player/live-playback.js';
import { Menu } from './player/menu.js';
import { QualityMenu } from './player/quality-menu.js';
import { Stage } from './player/stage.js';

const ID = location.pathname.split('/')[3];
const POLL_MS = 2_000;
/** Whoever is that close to the end begins anew. */
const END_S = 10;
/** A film that stops this often without having got anywhere does not go on by itself. */
const MAX_ATTEMPTS = 3;
const PROGRESS_S = 5;

const byId = (id) => document.getElementById(id);
const stage = new Stage(byId('stage'));
const session = new FilmSession(ID);
const unmute = byId('unmute');

/** What plays, or undefined while the page waits. */
let film;
/** What the viewer chose; kept when the film has to begin anew. */
const chosen = { quality: '', sound: -1, subtitle: undefined };
let attempts = { count: 0, positionS: -PROGRESS_S };

const qualities = new QualityMenu(byId('quality'), byId('quality-label'), (quality) => {
  chosen.quality = quality;
  film?.choose(quality);
});
const sounds = new Menu(byId('sound'), byId('sound-label'), {
  least: 2,
  onChosen: (index) => {
    chosen.sound = Number(index);
    if (film) film.player.sound = chosen.sound;
  },
});
const subtitles = new Menu(byId('subtitle'), byId('subtitle-label'), {
  least: 2,
  onChosen: (index) => {
    chosen.subtitle = Number(index);
    if (film) film.player.subtitle = chosen.subtitle;
  },
});

unmute.addEventListener('click', () => {
  stage.video.muted = false;
  if (stage.video.volume === 0) stage.video.volume = 1;
});
stage.on('volumechange', showMute);
stage.on('playing', () => {
  show('playing');
  showMute();
});
// A browser that wants a click first offers its own button beneath the message.
stage.on('loadeddata', () => {
  if (stage.video.paused) show('playing');
});
listenToKeys(stage);
session.follow(stage, () => (film === undefined || stage.video.readyState === 0 ? undefined : stage.video.currentTime));

if (playerKind() === undefined) show('failed', 'This browser cannot play the film. Please try a current one.');
else {
  show('waiting', 'The film is loading.');
  await begin();
}

/** Plays as soon as the server answers, from `positionS` on, or from where the viewer was. */
async function begin(positionS) {
  for (;;) {
    const found = await session.read();
    if (found?.refusal !== undefined) return show('failed', found.refusal);
    if (found !== undefined) return play(found, positionS ?? resumptionOf(found));
    show('waiting', 'The server does not answer. The film goes on as soon as it does.');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function resumptionOf({ positionMs, durationMs }) {
  return positionMs / 1000 > durationMs / 1000 - END_S ? 0 : positionMs / 1000;
}

function play({ title, playlist }, startS) {
  byId('title').textContent = title;
  document.title = title;
  stage.video.controls = true;
  const options = { playlist, startS, quality: chosen.quality };
  film = new Film(stage, { ...options, onQualities: showQualities, onTracks: showTracks, onFailed });
}

/** Begins anew at the same place, unless that has been tried in vain. */
function onFailed() {
  const positionS = stage.video.currentTime;
  const isFurther = Math.abs(positionS - attempts.positionS) >= PROGRESS_S;
  attempts = { count: isFurther ? 1 : attempts.count + 1, positionS };
  film?.end();
  film = undefined;
  if (attempts.count > MAX_ATTEMPTS) {
    show('failed', 'The film cannot be played on from here. Reload the page to try again.');
    return;
  }
  show('waiting', 'The film stopped. It goes on in a moment.');
  setTimeout(() => void begin(positionS), POLL_MS);
}

function show(state, text = '') {
  document.body.dataset.state = state;
  byId('message').textContent = text;
}

function showMute() {
  unmute.hidden = document.body.dataset.state !== 'playing' || !stage.video.muted;
}

function showQualities() {
  if (film === undefined) return;
  const { player } = film;
  qualities.show(film.qualities, { chosen: player.quality, playing: player.playing });
  document.body.dataset.picture = String(player.playing === undefined || player.playing.height > 0);
}

function showTracks() {
  if (film === undefined) return;
  const { player } = film;
  const wanted = { sound: chosen.sound, subtitle: chosen.subtitle };
  if (wanted.sound >= 0 && wanted.sound < player.sounds.length && player.sound !== wanted.sound) {
    player.sound = wanted.sound;
  }
  if (wanted.subtitle < player.subtitles.length && player.subtitle !== wanted.subtitle)
    player.subtitle = wanted.subtitle;
  sounds.show(numbered(player.sounds), String(player.sound));
  subtitles.show([{ text: 'Off', value: '-1' }, ...numbered(player.subtitles)], String(player.subtitle));
}

function numbered(names) {
  return names.map((text, index) => ({ text, value: String(index) }));
}
