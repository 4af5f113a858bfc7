// `npm run demo`: what `npm start` does, plus a test picture that is pushed through real RTMP to live/demo.
import { publishDemo } from './demo-publisher.mjs';
import { setUp } from './set-up.mjs';

const BROADCAST = 'live/demo';
const argv = process.argv.slice(2);
const say = (/** @type {string} */ text) => process.stderr.write(`demo: ${text}\n`);

await setUp();
const ready = watchForReadyLine();
const { main } = await import('../../dist/main.js');
await main(argv, process.env);
const urls = ready();
if (urls !== undefined) await demonstrate(urls);
else if (!process.exitCode) say('the log level hides that the server is ready; use LADDERCAST_LOG_LEVEL=info');

/** Pushes the picture until the process ends, and tells when there is something to see. */
async function demonstrate(/** @type {{ rtmpUrl: string, httpUrl: string }} */ { rtmpUrl, httpUrl }) {
  const { ffmpeg, key } = await readSettings();
  if (key === undefined)
    return say(`no stream key is for ${BROADCAST}; set streamKey, or one for it in [[streamKeys]]`);
  const url = `${loopback(rtmpUrl)}/${BROADCAST}?key=${encodeURIComponent(key)}`;
  const publisher = await publishDemo({ ffmpeg, url, say });
  for (const signal of ['SIGINT', 'SIGTERM', 'exit']) process.prependListener(signal, publisher.stop);
  const http = loopback(httpUrl);
  await playable(`${http}/hls/${BROADCAST}/index.m3u8`);
  process.stdout.write(`\nThe demo plays: ${http}/watch/${BROADCAST}\n\n`);
}

/** The server was started with these settings a moment ago, so all of them are good. */
async function readSettings() {
  const [{ loadConfig }, { resolveSecrets }] = await Promise.all([
    import('../../dist/config/load-config.js'),
    import('../../dist/auth/secrets.js'),
  ]);
  const config = loadConfig({ argv, env: process.env, cwd: process.cwd() });
  const { streamKey } = await resolveSecrets(config);
  const own = config.streamKeys.find((/** @type {{ broadcast: string }} */ entry) => entry.broadcast === BROADCAST);
  return { ffmpeg: config.ffmpeg ?? 'ffmpeg', key: streamKey ?? own?.key };
}

/** Looks for the log line that tells the addresses; hands back how to ask for what it found. */
function watchForReadyLine() {
  const write = process.stdout.write;
  /** @type {{ rtmpUrl: string, httpUrl: string } | undefined} */
  let found;
  process.stdout.write = function (/** @type {any} */ chunk, /** @type {any[]} */ ...rest) {
    if (typeof chunk === 'string' && chunk.includes('"msg":"ready"')) {
      found = JSON.parse(chunk);
      process.stdout.write = write;
    }
    return write.call(process.stdout, chunk, ...rest);
  };
  return () => found;
}

/** An address of all interfaces is none that a client can connect to. */
function loopback(/** @type {string} */ url) {
  return url.replace('//0.0.0.0:', '//localhost:').replace('//[::]:', '//localhost:');
}

/** Waits until the playlist lists every rung that will come, judged by the list not growing any more. */
async function playable(/** @type {string} */ playlist) {
  let seen = 0;
  for (let steady = 0; steady < 3;) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const answer = await fetch(playlist).catch(() => undefined);
    const text = answer?.ok === true ? await answer.text() : '';
    const variants = text.match(/^#EXT-X-STREAM-INF:/gm)?.length ?? 0;
    steady = variants > 0 && variants === seen ? steady + 1 : 0;
    seen = variants;
  }
}
