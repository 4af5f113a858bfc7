// Runs in a page: notes four times a second where its picture is. `startRecorder` is called by the test or by the page.
const SAMPLE_MS = 250;

/**
 * @param {() => { video?: HTMLVideoElement, dateMs?: number, latencyS?: number }} look
 */
window.startRecorder = (look) => {
  const seen = new Map();
  const record = { samples: [], errors: [], ended: false };
  window.playerRecord = record;
  setInterval(() => {
    const { video, dateMs, latencyS } = look();
    if (!video) return;
    if (!seen.has(video)) seen.set(video, seen.size);
    record.ended = video.ended;
    record.samples.push({
      wallMs: Math.round(performance.timeOrigin + performance.now()),
      element: seen.get(video),
      timeS: video.currentTime,
      dateMs,
      latencyS,
      height: video.videoHeight,
      frames: video.getVideoPlaybackQuality().totalVideoFrames,
      idle: video.paused || video.ended,
    });
  }, SAMPLE_MS);
  return record;
};
