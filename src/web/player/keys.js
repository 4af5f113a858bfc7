const STEP_S = 10;

/**
 * Keys for the whole page, as the video element has them while it has the focus: space or K, arrows, M, F.
 *
 * @param {import('./stage.js').Stage} stage
 */
export function listenToKeys(stage) {
  document.addEventListener('keydown', (event) => {
    const isElsewhere = event.target !== document.body && event.target !== document.documentElement;
    if (isElsewhere || event.ctrlKey || event.altKey || event.metaKey) return;
    const action = ACTIONS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (action === undefined) return;
    event.preventDefault();
    action(stage.video);
  });
}

const ACTIONS = {
  ' ': togglePlaying,
  k: togglePlaying,
  ArrowLeft: (video) => (video.currentTime -= STEP_S),
  ArrowRight: (video) => (video.currentTime += STEP_S),
  m: (video) => (video.muted = !video.muted),
  f: (video) => void (document.fullscreenElement ? document.exitFullscreen() : video.requestFullscreen()),
};

function togglePlaying(video) {
  if (video.paused) video.play().catch(() => undefined);
  else video.pause();
}
