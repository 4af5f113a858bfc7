import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { segmentCount } from '../../src/vod/source/title.ts';
import { writeTimecodedFilm, type TimecodedFilm } from '../support/timecode.ts';
import { copyOf, differences, framesOf, runHeads, sourceFrames, videoOf } from '../support/vod-heads.ts';
import { titleOf, type TitleChoices } from '../support/vod-title.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-heads-'));
});

afterAll(() => rm(folder, { recursive: true }));

const EVERY_2_S = ['-g', '48', '-bf', '2'];
const IRREGULAR = ['-g', '1000', '-bf', '2', '-force_key_frames', '0,1.5,1.9,5,5.2,7'];
const EVERY_10_S = ['-g', '240', '-bf', '2'];
/** Every third frame for 2 s of 4. */
const VARIABLE_RATE = "select='if(lt(mod(t,4),2),1,not(mod(n,3)))'";

interface Case {
  readonly name: string;
  readonly film: TimecodedFilm;
  readonly choices?: TitleChoices;
}

const CASES: readonly Case[] = [
  { name: 'regular.mp4', film: { output: EVERY_2_S }, choices: { copy: true } },
  { name: 'irregular.mkv', film: { output: IRREGULAR }, choices: { copy: true } },
  {
    name: 'late.ts',
    film: { rate: '30000/1001', output: ['-g', '60', '-bf', '2', '-output_ts_offset', '37'] },
    choices: { copy: true },
  },
  { name: 'long-gop.mp4', film: { output: EVERY_10_S }, choices: { cut: 'frames' } },
  { name: 'long-gop.mkv', film: { output: EVERY_10_S }, choices: { cut: 'frames' } },
  { name: 'long-gop.ts', film: { output: EVERY_10_S }, choices: { cut: 'frames' } },
  {
    name: 'variable.mp4',
    film: { filters: VARIABLE_RATE, output: [...EVERY_2_S, '-video_track_timescale', '90000'] },
    choices: { copy: true },
  },
  { name: 'variable.mkv', film: { filters: VARIABLE_RATE, output: EVERY_2_S }, choices: { copy: true } },
  { name: 'open-gop.mp4', film: { output: [...EVERY_2_S, '-x264-params', 'open-gop=1'] } },
  { name: 'no-index.mkv', film: { output: EVERY_2_S }, choices: { cut: 'blind' } },
  { name: 'intra.mp4', film: { output: ['-g', '1'] } },
  { name: 'film.avi', film: { output: ['-c:v', 'mpeg4', '-b:v', '1M', '-g', '48'] } },
  { name: 'film.flv', film: { output: EVERY_2_S } },
];

describe('heads of one film', () => {
  it.each(CASES)(
    'have every frame of $name once and in its place, wherever they begin',
    async ({ name, film, choices }) => {
      const file = path.join(folder, name);
      await writeTimecodedFilm(file, { seconds: 8, size: '192x108', ...film });
      const title = await titleOf(file, choices);
      const count = segmentCount(title);
      expect(count).toBeGreaterThanOrEqual(3);
      const expected = await sourceFrames(title);
      expect(expected.length).toBeGreaterThan(100);
      for (const rendition of choices?.copy === true ? [videoOf(title), copyOf(title)] : [videoOf(title)]) {
        const each = Array.from({ length: count }, (_, index) => index);
        for (const starts of [[0], each]) {
          const frames = await framesOf(await runHeads(title, rendition, starts));
          expect([rendition.mode, starts, differences(frames, expected)]).toEqual([rendition.mode, starts, []]);
        }
      }
    },
  );
});
