import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** What a player made of a playlist. */
export interface Playback {
  /** Presentation times of the decoded frames, in the order in which they came out. */
  readonly ptsS: readonly number[];
  /** What it warned about or failed with. */
  readonly complaints: readonly string[];
}

/** What ffmpeg says of every fMP4 playlist that is read for longer than a segment, and that is no fault. */
const HARMLESS = 'Found duplicated MOOV Atom';
const PATIENCE_MS = 60_000;

/** Lets ffmpeg decode so many seconds of a media playlist, or of every stream of a multivariant playlist. */
export async function playWithFfmpeg(url: string, seconds: number): Promise<Map<number, Playback>> {
  const ffmpeg = process.env['LADDERCAST_FFMPEG'] ?? 'ffmpeg';
  const input = ['-nostdin', '-hide_banner', '-loglevel', 'repeat+warning', '-threads', '1', '-i', url];
  const output = [
    '-map',
    '0:v?',
    '-map',
    '0:a?',
    '-t',
    `${seconds}`,
    '-fps_mode',
    'passthrough',
    '-f',
    'framecrc',
    '-',
  ];
  const player = spawn(ffmpeg, [...input, ...output], { stdio: ['ignore', 'pipe', 'pipe'], timeout: PATIENCE_MS });
  const ptsS = new Map<number, number[]>();
  const timeBases = new Map<number, number>();
  createInterface(player.stdout).on('line', (line) => {
    const [, timeBaseOf, numerator, denominator] = /^#tb (\d+): (\d+)\/(\d+)/.exec(line) ?? [];
    if (timeBaseOf !== undefined) timeBases.set(Number(timeBaseOf), Number(numerator) / Number(denominator));
    if (line.startsWith('#')) return;
    const [stream = NaN, , pts = NaN] = line.split(',').map(Number);
    const times = ptsS.get(stream) ?? [];
    ptsS.set(stream, times);
    times.push(pts * (timeBases.get(stream) ?? NaN));
  });
  const complaints: string[] = [];
  createInterface(player.stderr).on('line', (line) => {
    if (!line.includes(HARMLESS)) complaints.push(line);
  });
  const [code] = (await once(player, 'close')) as [number | null];
  if (code !== 0) complaints.push(`ffmpeg ended with ${code}`);
  return new Map([...ptsS].map(([stream, times]) => [stream, { ptsS: times, complaints }]));
}

/** Lets GStreamer's `hlsdemux` decode so many frames of a media playlist. */
export async function playWithGstreamer(url: string, kind: 'video' | 'audio', frames: number): Promise<Playback> {
  const decoder = kind === 'video' ? ['h264parse', '!', 'avdec_h264'] : ['aacparse', '!', 'avdec_aac'];
  const sink = ['fakesink', 'sync=false', 'silent=false'];
  const pipeline = ['souphttpsrc', `location=${url}`, '!', 'hlsdemux', '!', 'qtdemux', '!', ...decoder, '!', ...sink];
  const player = spawn('gst-launch-1.0', ['-v', ...pipeline], { stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => player.kill('SIGKILL'), PATIENCE_MS);
  const ptsS: number[] = [];
  const complaints: string[] = [];
  createInterface(player.stdout).on('line', (line) => {
    const [, hours, minutes, seconds] = /last-message = chain .*pts: (\d+):(\d\d):(\d\d\.\d+)/.exec(line) ?? [];
    if (hours !== undefined && ptsS.length < frames) {
      ptsS.push(Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds));
    }
    if (/^(ERROR|WARNING)/.test(line)) complaints.push(line);
    if (ptsS.length >= frames) player.kill('SIGKILL');
  });
  createInterface(player.stderr).on('line', (line) => complaints.push(line));
  await once(player, 'close');
  clearTimeout(timer);
  return { ptsS, complaints };
}
