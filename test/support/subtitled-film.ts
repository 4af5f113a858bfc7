import { execFile } from 'node:child_process';
import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { MediaSource } from '../../src/vod/source/media-source.ts';
import type { SubtitleFacts, Title } from '../../src/vod/source/title.ts';

const run = promisify(execFile);

/** A subtitle as the tests write it; times in seconds. */
export interface FilmCue {
  readonly startS: number;
  readonly endS: number;
  readonly text: string;
}

/** One subtitle each second, shown for 0.9 s: `<prefix> 0`, `<prefix> 1`, … */
export function cueEachSecond(prefix: string, seconds: number): FilmCue[] {
  return Array.from({ length: seconds }, (_, second) => ({
    ...{ startS: second + 0.05, endS: second + 0.95, text: `${prefix} ${second}` },
  }));
}

/** A SubRip file. */
export function subRip(cues: readonly FilmCue[]): string {
  return cues
    .map(({ startS, endS, text }, index) => `${index + 1}\n${stamp(startS, ',')} --> ${stamp(endS, ',')}\n${text}\n`)
    .join('\n');
}

/** An ASS file. */
export function assFile(cues: readonly FilmCue[]): string {
  const style = 'Default,Arial,20,&H00FFFFFF,&H000000FF,&H00000000,&H00000000,0,0,0,0,100,100,0,0,1,1,1,2,10,10,10,1';
  const fields =
    'Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline';
  const more =
    'StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV';
  const time = (timeS: number): string => stamp(timeS, '.').slice(1, -1);
  return [
    ...['[Script Info]', 'ScriptType: v4.00+', '', '[V4+ Styles]', `Format: Name, ${fields}, ${more}, Encoding`],
    ...[`Style: ${style}`, '', '[Events]'],
    'Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text',
    ...cues.map(({ startS, endS, text }) => `Dialogue: 0,${time(startS)},${time(endS)},Default,,0,0,0,,${text}`),
    '',
  ].join('\n');
}

function stamp(timeS: number, point: string): string {
  const ms = Math.round(timeS * 1000);
  const two = (value: number): string => String(Math.floor(value) % 60).padStart(2, '0');
  const hours = String(Math.floor(ms / 3_600_000)).padStart(2, '0');
  return `${hours}:${two(ms / 60_000)}:${two(ms / 1000)}${point}${String(ms % 1000).padStart(3, '0')}`;
}

/** A track for a film: a file of its own that is put in, and as what. */
export interface FilmTrack {
  /** Its name; the extension tells ffmpeg what it is. */
  readonly file: string;
  readonly content: string | Buffer;
  /** `copy`, `mov_text` … */
  readonly codec: string;
  /** ISO 639-2. */
  readonly language?: string;
}

/** Writes a small film with subtitle tracks, and what they were made of beside it in a folder of its own. */
export async function writeFilm(
  file: string,
  { seconds, tracks, extra = [] }: { seconds: number; tracks: readonly FilmTrack[]; extra?: readonly string[] },
): Promise<void> {
  const parts = `${file}.parts`;
  const inputs: string[] = [];
  for (const [index, { file: name, content }] of tracks.entries()) {
    const part = `${parts}.${index}${path.extname(name)}`;
    await writeFile(part, content);
    inputs.push('-i', part);
  }
  const maps = tracks.flatMap(({ codec, language }, index) => [
    ...['-map', String(index + 1), `-c:s:${index}`, codec],
    ...(language === undefined ? [] : [`-metadata:s:s:${index}`, `language=${language}`]),
  ]);
  const picture = ['-f', 'lavfi', '-i', `testsrc2=size=160x90:rate=10:duration=${seconds}`];
  const encoder = ['-map', '0:v', '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '20'];
  await run('ffmpeg', ['-v', 'error', '-y', ...picture, ...inputs, ...encoder, ...maps, ...extra, file]);
}

/** A local source that is taken as it is. */
export async function plainSource(file: string): Promise<MediaSource> {
  const { size, mtimeMs } = await stat(file);
  const options = ['-protocol_whitelist', 'file'];
  return {
    ...{
      kind: 'file',
      label: path.basename(file),
      identity: `${file}|${size}|${mtimeMs}`,
      sizeBytes: size,
      path: file,
    },
    openInput: () => Promise.resolve({ url: `file:${file}`, options, release: () => undefined }),
    openBytes: () => Promise.reject(new Error('no test reads the bytes of this source')),
  };
}

/** A title with segments of equal length, of which only the subtitles matter. */
export function subtitledTitle(
  source: MediaSource,
  { subtitles, seconds, startTicks = 0 }: { subtitles: readonly SubtitleFacts[]; seconds: number; startTicks?: number },
): Title {
  const SEGMENT_S = 4;
  const starts = Array.from({ length: Math.ceil(seconds / SEGMENT_S) }, (_, index) => index * SEGMENT_S);
  return {
    ...{ source, format: 'matroska,webm', startTicks, durationTicks: seconds * 90_000, video: undefined, audio: [] },
    subtitles,
    plan: {
      boundaries: [...starts, seconds].map((timeS) => timeS * 90_000),
      keyframes: undefined,
      atKeyframes: false,
    },
  };
}

/** A text track of the file itself, or (given a path) beside it. */
export function textTrack(codec: string, place: number | string): SubtitleFacts {
  return {
    streamIndex: typeof place === 'number' ? place : undefined,
    sidecarPath: typeof place === 'string' ? place : undefined,
    ...{
      codec,
      kind: 'text',
      language: undefined,
      title: undefined,
      isDefault: false,
      isForced: false,
      isForHearingImpaired: false,
    },
  };
}
