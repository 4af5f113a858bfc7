import { spawn } from 'node:child_process';
import { lastLines, runCommand } from './run-command.mjs';

const RESTART_AFTER_MS = 2_000;

/**
 * Arguments for an ffmpeg that publishes a moving test picture and a beeping tone without end, as OBS would: 1080p30
 * H.264 with a keyframe every 2 s, and AAC.
 *
 * @param {{ url: string, wallClock: boolean }} options with `wallClock` the time of day is drawn into the picture; the
 *   picture has a counter of its own in any case
 */
export function demoArguments({ url, wallClock }) {
  const clock =
    "drawtext=text='%{localtime\\:%H\\\\\\:%M\\\\\\:%S}':fontsize=h/8:fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=24:x=(w-tw)/2:y=h*0.75";
  return [
    ...['-hide_banner', '-nostdin', '-loglevel', 'error'],
    ...['-re', '-f', 'lavfi', '-i', 'testsrc2=size=1920x1080:rate=30'],
    ...['-re', '-f', 'lavfi', '-i', 'sine=frequency=330:beep_factor=4:sample_rate=48000'],
    ...['-vf', wallClock ? `${clock},format=yuv420p` : 'format=yuv420p'],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-profile:v', 'baseline'],
    ...['-b:v', '4500k', '-maxrate', '4500k', '-bufsize', '4500k'],
    ...['-g', '60', '-keyint_min', '60', '-sc_threshold', '0'],
    ...['-c:a', 'aac', '-b:a', '128k', '-ac', '2'],
    ...['-f', 'flv', url],
  ];
}

/** Whether this ffmpeg can write text: it needs the filter and a font. */
async function canDrawText(/** @type {string} */ ffmpeg) {
  const picture = [
    '-f',
    'lavfi',
    '-i',
    'color=size=64x64',
    '-vf',
    'drawtext=text=x',
    '-frames:v',
    '1',
    '-f',
    'null',
    '-',
  ];
  return (await runCommand(ffmpeg, ['-hide_banner', '-nostdin', ...picture], { timeoutMs: 30_000 })).code === 0;
}

/**
 * Publishes the test picture until it is stopped, starting ffmpeg anew when it ends. An ffmpeg whose server has died
 * ends by itself, since its connection breaks.
 *
 * @param {{ ffmpeg: string, url: string, say: (text: string) => void }} options
 * @returns {Promise<{ stop: () => void }>}
 */
export async function publishDemo({ ffmpeg, url, say }) {
  const args = demoArguments({ url, wallClock: await canDrawText(ffmpeg) });
  let stopped = false;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let child;
  const start = () => {
    if (stopped) return;
    let errors = '';
    child = spawn(ffmpeg, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr?.on('data', (chunk) => (errors = (errors + chunk).slice(-2_000)));
    child.on('error', (error) => (errors += error.message));
    child.on('close', () => {
      if (stopped) return;
      // The address holds the stream key.
      say(`the test picture stopped and is started again:\n${lastLines(errors, 3).replaceAll(url, 'the server')}`);
      setTimeout(start, RESTART_AFTER_MS).unref();
    });
  };
  start();
  return {
    stop() {
      stopped = true;
      child?.kill('SIGKILL');
    },
  };
}
