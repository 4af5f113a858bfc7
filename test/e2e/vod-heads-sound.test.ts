import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { segmentDurations } from '../../src/vod/encode/segment-durations.ts';
import { segmentCount, type Title } from '../../src/vod/source/title.ts';
import type { VodAudio } from '../../src/vod/vod-rendition.ts';
import { decodeErrors } from '../support/ffprobe.ts';
import { decodeSound, soundError } from '../support/sound.ts';
import { writeTimecodedFilm } from '../support/timecode.ts';
import { allAudio, audioOf, type HeadRun, join, runHead, runHeads } from '../support/vod-heads.ts';
import { titleOf } from '../support/vod-title.ts';

const run = promisify(execFile);
/** Media time of the title's start. */
const ORIGIN_S = 10;
const SILENCE = new Float32Array(48_000 * 60);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-sound-'));
});

afterAll(() => rm(folder, { recursive: true }));

async function filmOf(name: string, sounds: readonly string[], output: readonly string[] = []): Promise<Title> {
  const file = path.join(folder, name);
  await writeTimecodedFilm(file, { size: '64x36', sounds, output: ['-g', '48', '-bf', '2', ...output] });
  return titleOf(file);
}

function encoded(sound: VodAudio): VodAudio {
  return { ...sound, mode: 'encode' };
}

function everySegment(title: Title): number[] {
  return Array.from({ length: segmentCount(title) }, (_, index) => index);
}

/** The sound of joined heads, from the title's start on. */
function soundOf(runs: readonly HeadRun[]): Promise<Float32Array> {
  return decodeSound(join(runs), ORIGIN_S);
}

function sourceSound(title: Title, track = 0): Promise<Float32Array> {
  return decodeSound(title.source.path!, title.startTicks / 90_000, track);
}

describe('heads of a sound', () => {
  it.each<{ name: string; output?: string[] }>([
    { name: 'aac.mp4' },
    { name: 'aac.mkv' },
    { name: 'aac.ts', output: ['-output_ts_offset', '37'] },
    { name: 'ac3.mkv', output: ['-c:a', 'ac3'] },
    { name: 'mp2.ts', output: ['-c:a', 'mp2'] },
    { name: 'flac.mkv', output: ['-c:a', 'flac'] },
  ])('meet in $name without a click, and are in time', async ({ name, output }) => {
    const title = await filmOf(name, ['440'], output);
    const source = await sourceSound(title);
    const sound = audioOf(title);
    expect(sound.mode).toBe(name.startsWith('aac') ? 'copy' : 'encode');
    for (const rendition of sound.mode === 'copy' ? [sound, encoded(sound)] : [sound]) {
      const runs = await runHeads(title, rendition, everySegment(title));
      const joined = await soundOf(runs);
      // Full scale is 1 and the tone has 0.4: a click is a third of that and more.
      for (const boundary of title.plan.boundaries.slice(1, -1)) {
        const at = boundary / 90_000;
        expect(soundError(joined, source, at - 0.06, at + 0.12).max).toBeLessThan(0.05);
      }
      expect(soundError(joined, source, 0.1, 11.8).rms).toBeLessThan(0.01);
      const durations = runs.flatMap(({ segments }) => segments.map(({ durationTicks }) => durationTicks));
      expect(durations).toEqual(segmentDurations(title, rendition));
      expect(await decodeErrors(join(runs))).toBe('');
    }
  });

  it('are in step with one another where a decoder cuts off what it cannot know', async () => {
    const title = await filmOf('opus.mkv', ['440'], ['-c:a', 'libopus']);
    const [whole] = await runHeads(title, audioOf(title), [0]);
    const joined = await soundOf(await runHeads(title, audioOf(title), everySegment(title)));
    expect(soundError(joined, await soundOf([whole!]), 0.1, 11.8).rms).toBeLessThan(0.01);
  });

  it('resample to the players’ rate', async () => {
    const title = await filmOf('mp3.mkv', ['440'], ['-c:a', 'libmp3lame', '-ar', '44100']);
    expect(audioOf(title)).toMatchObject({ mode: 'encode', sampleRate: 48_000 });
    const [whole] = await runHeads(title, audioOf(title), [0]);
    const joined = await soundOf(await runHeads(title, audioOf(title), everySegment(title)));
    expect(soundError(joined, await soundOf([whole!]), 0.1, 11.8).rms).toBeLessThan(0.01);
    expect(soundError(joined, await sourceSound(title), 0.1, 11.8).rms).toBeLessThan(0.05);
  });

  it('mix surround down to two channels, and keep it beside them', async () => {
    const title = await filmOf('surround.mp4', ['440:5.1', '880:mono'], ['-b:a', '384k']);
    const renditions = allAudio(title);
    expect(renditions.map(({ name, mode, channels }) => [name, mode, channels])).toEqual([
      ['audio-0', 'encode', 2],
      ['audio-0-surround', 'copy', 6],
      ['audio-1', 'copy', 1],
    ]);
    for (const rendition of [...renditions, encoded(renditions[1]!)]) {
      const runs = await runHeads(title, rendition, [0, 2, 3]);
      const { channels, codec, sampleRate } = rendition;
      expect(runs[0]!.init).toMatchObject({ channels, codec, sampleRate });
      expect(await decodeErrors(join(runs))).toBe('');
      const joined = await soundOf(runs);
      const source = await sourceSound(title, rendition.trackIndex);
      if (rendition.mode === 'copy') expect(soundError(joined, source, 0.1, 11.8).rms).toBeLessThan(0.001);
      else expect(soundError(joined, SILENCE, 0.1, 11.8).rms).toBeGreaterThan(0.1);
    }
  });

  it('stay below what they announce', async () => {
    const title = await filmOf('noise.mkv', ['anoisesrc=r=48000:a=0.8:d=12:seed=7'], ['-c:a', 'flac']);
    const rendition = audioOf(title);
    const { segments } = await runHead(title, rendition);
    const rates = segments.map(({ bytes, durationTicks }) => (bytes.length * 8 * 90_000) / durationTicks);
    expect(Math.max(...rates)).toBeLessThanOrEqual(rendition.bandwidth);
  });
});

describe('a sound that begins late and ends early', () => {
  it.each(['late.mp4', 'late.mkv', 'late.ts'])(
    'is silent before and after it in %s, wherever heads begin',
    async (name) => {
      const [film, tone, file] = ['film.mp4', 'tone.m4a', name].map((leaf) => path.join(folder, leaf)) as [
        string,
        string,
        string,
      ];
      await writeTimecodedFilm(film, { size: '64x36', output: ['-g', '48', '-bf', '2'] });
      const wave = 'aevalsrc=exprs=0.4*sin(2*PI*(440*t+20*t*t)):s=48000:d=4';
      await run('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', wave, '-c:a', 'aac', tone]);
      const maps = ['-map', '0:v', '-map', '1:a', '-c', 'copy'];
      await run('ffmpeg', ['-v', 'error', '-i', film, '-itsoffset', '3.278', '-i', tone, ...maps, file]);
      const title = await titleOf(file);
      const source = await sourceSound(title);
      for (const rendition of [audioOf(title), encoded(audioOf(title))]) {
        for (const starts of [[0], everySegment(title)]) {
          const runs = await runHeads(title, rendition, starts);
          const joined = await soundOf(runs);
          expect(soundError(joined, SILENCE, 0.05, 3.2).max).toBeLessThan(0.001);
          expect(soundError(joined, source, 3.35, 7.2).max).toBeLessThan(0.01);
          expect(soundError(joined, SILENCE, 7.4, 11.9).max).toBeLessThan(0.001);
          expect(await decodeErrors(join(runs))).toBe('');
        }
      }
    },
  );
});

describe('a title without a picture', () => {
  it('plays to its end, and ends where its file ends', async () => {
    const file = path.join(folder, 'song.mp3');
    const wave = 'aevalsrc=exprs=0.4*sin(2*PI*440*t):s=48000:d=9';
    await run('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', wave, '-c:a', 'libmp3lame', file]);
    const title = await titleOf(file);
    const count = segmentCount(title);
    const joined = await soundOf(await runHeads(title, audioOf(title), [0, 2]));
    const [whole] = await runHeads(title, audioOf(title), [0]);
    expect(soundError(joined, await soundOf([whole!]), 0.1, 8.8).rms).toBeLessThan(0.01);
    expect(soundError(joined, SILENCE, 8, 8.9).rms).toBeGreaterThan(0.2);
    const boundaries = [...title.plan.boundaries.slice(0, -1), 11 * 90_000, 13 * 90_000];
    const longer = { ...title, plan: { ...title.plan, boundaries } };
    const { end, segments } = await runHead(longer, audioOf(longer));
    expect(end.ended).toBe('early');
    expect(segments).toHaveLength(count);
  });
});
