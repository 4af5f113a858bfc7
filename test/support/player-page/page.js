// A bare page with one player, as somebody else's site would have it.
const query = new URLSearchParams(location.search);
const url = query.get('url');
const video = document.querySelector('video');

const players = {
  'hls.js': () => {
    const hls = new window.Hls({ workerPath: '/hls.worker.js', lowLatencyMode: true });
    const record = window.startRecorder(() => ({
      video,
      dateMs: hls.playingDate?.getTime(),
      latencyS: hls.latency,
    }));
    hls.on(window.Hls.Events.ERROR, (_event, { fatal, details, error, response }) => {
      record.errors.push({ fatal, what: `${details} ${error?.message ?? ''} ${response?.code ?? ''}`.trim() });
    });
    hls.loadSource(url);
    hls.attachMedia(video);
    void video.play();
    window.player = {
      heights: () => hls.levels.map(({ height }) => height),
      automatic: () => (hls.nextLevel = -1),
      choose: (height) => (hls.nextLevel = hls.levels.findIndex((level) => level.height === height)),
      reload: () => hls.loadSource(url),
      sound: (index) => (hls.audioTrack = index),
      subtitles: (index) => (hls.subtitleTrack = index),
      seekable: () => ({ startS: hls.latestLevelDetails.fragmentStart, endS: hls.latestLevelDetails.edge }),
    };
  },
  shaka: () => {
    window.shaka.polyfill.installAll();
    const player = new window.shaka.Player();
    const record = window.startRecorder(() => ({
      video,
      dateMs: player.getPlayheadTimeAsDate()?.getTime(),
      latencyS: player.isLive() ? player.getStats().liveLatency : 0,
    }));
    const failed = ({ severity, category, code, data, message }) =>
      record.errors.push({
        fatal: severity === window.shaka.util.Error.Severity.CRITICAL,
        what: `${category}.${code} ${message ?? ''} ${JSON.stringify(data ?? '').slice(0, 200)}`,
      });
    player.addEventListener('error', ({ detail }) => failed(detail));
    player.configure(JSON.parse(query.get('config')));
    player
      .attach(video)
      .then(() => player.load(url))
      .then(() => video.play())
      .catch(failed);
    window.player = {
      heights: () => player.getVariantTracks().map(({ height }) => height),
      automatic: () => player.configure('abr.enabled', true),
      choose: (height) => {
        player.configure('abr.enabled', false);
        const track = player.getVariantTracks().find((variant) => variant.height === height);
        player.selectVariantTrack(track, true);
      },
      reload: () => player.load(url).then(() => video.play()),
      sound: (index) => player.selectAudioTrack(player.getAudioTracks()[index]),
      subtitles: (index) => player.selectTextTrack(player.getTextTracks()[index]),
      seekable: () => ({ startS: player.seekRange().start, endS: player.seekRange().end }),
    };
  },
};

players[query.get('player')]();
