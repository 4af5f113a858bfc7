import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectFfmpeg } from '../../../src/ffmpeg/ffmpeg-binary.ts';
import type { Cue } from '../../../src/vod/subtitles/cue.ts';
import { type ExtractedTrack, SubtitleExtractor } from '../../../src/vod/subtitles/subtitle-extractor.ts';
import {
  assFile,
  cueEachSecond,
  plainSource,
  subRip,
  subtitledTitle,
  textTrack,
  writeFilm,
} from '../../support/subtitled-film.ts';

const never = new AbortController().signal;
const SECONDS = 70;
let folder: string;
let extractor: SubtitleExtractor;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast subtitles-'));
  // A space in the path: options with one must not be split.
  await mkdir(path.join(folder, 'scratch'));
  extractor = new SubtitleExtractor({ binary: await inspectFfmpeg('ffmpeg'), folder: path.join(folder, 'scratch') });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const within = (name: string): string => path.join(folder, name);

function cuesOf(track: ExtractedTrack | undefined): readonly Cue[] {
  if (track === undefined || !('cues' in track)) throw new Error(`no cues: ${JSON.stringify(track)}`);
  return track.cues;
}

const shown = (cues: readonly Cue[]): [number, number, string][] =>
  cues.map(({ startMs, endMs, text }) => [startMs, endMs, text]);
const expected = (prefix: string, seconds: number): [number, number, string][] =>
  Array.from({ length: seconds }, (_, second) => [second * 1000 + 50, second * 1000 + 950, `${prefix} ${second}`]);

describe('the tracks of a file', () => {
  const webVtt = 'WEBVTT\n\n00:01.000 --> 00:02.000 line:10% align:start\n<v Bob>Hi &amp; <c.yellow>bye</c>\n';

  it('are extracted in one pass, with the times of the title, and leave nothing behind', async () => {
    const film = within('film.mkv');
    await writeFilm(film, {
      seconds: 12,
      tracks: [
        { file: 'a.srt', content: subRip(cueEachSecond('srt', 12)), codec: 'copy' },
        { file: 'b.ass', content: assFile(cueEachSecond('{\\i1}ass{\\i0}', 12)), codec: 'copy' },
        { file: 'c.vtt', content: webVtt, codec: 'copy' },
        { file: 'd.srt', content: subRip([{ startS: 100, endS: 101, text: 'never' }]), codec: 'copy' },
      ],
      extra: ['-t', '12', '-output_ts_offset', '5'],
    });
    const subtitles = [textTrack('subrip', 1), textTrack('ass', 2), textTrack('webvtt', 3), textTrack('subrip', 4)];
    const title = subtitledTitle(await plainSource(film), { subtitles, seconds: 12, startTicks: 450_000 });
    const [empty, srt, ass, vtt] = await extractor.embedded(title, [3, 0, 1, 2], never);
    expect(empty).toEqual({ cues: [] });
    expect(shown(cuesOf(srt))).toEqual(expected('srt', 12));
    expect(shown(cuesOf(ass))).toEqual(expected('<i>ass</i>', 12));
    expect(cuesOf(vtt)).toEqual([
      { startMs: 1_000, endMs: 2_000, settings: 'line:10% align:start', text: '<v Bob>Hi &amp; <c.yellow>bye</c>' },
    ]);
    expect(await readdir(within('scratch'))).toEqual([]);
  });

  it('may be mov_text, and may be found by reading a part of the file, times equal', async () => {
    const film = within('film.mp4');
    const long = { startS: 1, endS: 65, text: 'a long one' };
    await writeFilm(film, {
      seconds: SECONDS,
      tracks: [
        { file: 'a.srt', content: subRip(cueEachSecond('mov', SECONDS)), codec: 'mov_text' },
        { file: 'b.srt', content: subRip([long]), codec: 'mov_text' },
      ],
    });
    const subtitles = [textTrack('mov_text', 1), textTrack('mov_text', 2)];
    const title = subtitledTitle(await plainSource(film), { subtitles, seconds: SECONDS });
    const [all, one] = await extractor.embedded(title, [0, 1], never);
    expect(shown(cuesOf(all))).toEqual(expected('mov', SECONDS));
    expect(shown(cuesOf(one))).toEqual([[1_000, 65_000, 'a long one']]);
    const seen = (cues: readonly Cue[]) => cues.filter(({ startMs, endMs }) => startMs < 52_000 && endMs > 44_000);
    const window = await extractor.window(title, { track: 0, fromMs: 44_000, toMs: 52_000 }, never);
    expect(seen(window)).toEqual(seen(cuesOf(all)));
    expect(window.length).toBeLessThan(45);
  });

  it('lose no cue by text that is no UTF-8', async () => {
    const film = within('latin.mkv');
    const latin = Buffer.from(
      subRip([
        { startS: 1, endS: 2, text: 'plain' },
        { startS: 3, endS: 4, text: 'Grüße' },
      ]),
      'latin1',
    );
    await writeFilm(film, {
      seconds: 6,
      tracks: [
        { file: 'a.srt', content: latin, codec: 'copy' },
        { file: 'b.srt', content: subRip(cueEachSecond('fine', 6)), codec: 'copy' },
      ],
    });
    const subtitles = [textTrack('subrip', 1), textTrack('subrip', 2)];
    const title = subtitledTitle(await plainSource(film), { subtitles, seconds: 6 });
    const [first, second] = await extractor.embedded(title, [0, 1], never);
    expect(cuesOf(first).map(({ text }) => text)).toEqual(['plain', 'Grüße']);
    expect(shown(cuesOf(second))).toEqual(expected('fine', 6));
  });

  it('hold nobody up when one of them gives nothing', async () => {
    const film = within('two.mkv');
    const content = subRip(cueEachSecond('fine', 6));
    await writeFilm(film, { seconds: 6, tracks: [{ file: 'a.srt', content, codec: 'copy' }] });
    const subtitles = [textTrack('subrip', 1), textTrack('subrip', 9)];
    const title = subtitledTitle(await plainSource(film), { subtitles, seconds: 6 });
    const [fine, missing] = await extractor.embedded(title, [0, 1], never);
    expect(shown(cuesOf(fine))).toEqual(expected('fine', 6));
    expect(missing).toHaveProperty('reason');
    expect(await readdir(within('scratch'))).toEqual([]);
  });

  it('are given up when nobody waits any more', async () => {
    const film = within('film.mkv');
    const title = subtitledTitle(await plainSource(film), { subtitles: [textTrack('subrip', 1)], seconds: 12 });
    await expect(extractor.embedded(title, [0], AbortSignal.abort())).rejects.toMatchObject({
      code: 'TRANSCODER_FAILED',
    });
  });
});

describe('a file beside the film', () => {
  const greeting = subRip([{ startS: 1, endS: 2, text: 'Grüße, 你好' }]);

  it.each([
    ['UTF-8', Buffer.from(greeting), 'Grüße, 你好'],
    ['UTF-8 with a mark', Buffer.from(`\uFEFF${greeting}`), 'Grüße, 你好'],
    ['UTF-16', Buffer.from(`\uFEFF${greeting}`, 'utf16le'), 'Grüße, 你好'],
    ['UTF-16, the other way round', Buffer.from(`\uFEFF${greeting}`, 'utf16le').swap16(), 'Grüße, 你好'],
    ['Windows-1252', Buffer.from(greeting.replace(', 你好', ' \x93x\x94'), 'latin1'), 'Grüße “x”'],
  ])('may be %s', async (_name, bytes, text) => {
    const file = within('film.de.srt');
    await writeFile(file, bytes);
    expect(shown(cuesOf(await extractor.sidecar(textTrack('subrip', file), never)))).toEqual([[1_000, 2_000, text]]);
  });

  it('may be ASS or WebVTT, also with styles', async () => {
    await writeFile(within('film.ass'), assFile(cueEachSecond('ass', 3)));
    await writeFile(within('film.vtt'), 'WEBVTT\n\nSTYLE\n::cue { color: red }\n\n00:01.000 --> 00:02.000\nhello\n');
    const [ass, vtt] = [textTrack('ass', within('film.ass')), textTrack('webvtt', within('film.vtt'))];
    expect(shown(cuesOf(await extractor.sidecar(ass, never)))).toEqual(expected('ass', 3));
    expect(shown(cuesOf(await extractor.sidecar(vtt, never)))).toEqual([[1_000, 2_000, 'hello']]);
  });

  it('has a reason when it cannot be read, which names no path', async () => {
    await mkdir(within('folder.srt'));
    await writeFile(within('other.txt'), 'x');
    for (const name of ['missing.srt', 'folder.srt']) {
      const { reason } = (await extractor.sidecar(textTrack('subrip', within(name)), never)) as { reason: string };
      expect(reason).toMatch(/cannot be read|regular file/);
      expect(reason).not.toContain(folder);
    }
    expect(await extractor.sidecar(textTrack('microdvd', within('other.txt')), never)).toEqual({
      reason: 'subtitle files of the kind microdvd are not read',
    });
  });
});
