import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { segmentCount, type Title } from '../../src/vod/source/title.ts';
import { pgsFile } from '../support/pgs.ts';
import { writeTimecodedFilm, type TimecodedFilm } from '../support/timecode.ts';
import {
  cheapRung,
  differences,
  framesOf,
  join,
  runHead,
  runHeads,
  sourceFrames,
  videoOf,
} from '../support/vod-heads.ts';
import { titleOf, type TitleChoices } from '../support/vod-title.ts';

const run = promisify(execFile);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-pictures-'));
});

afterAll(() => rm(folder, { recursive: true }));

const EVERY_2_S = ['-g', '48', '-bf', '2'];

function hevc(transfer: string, colours = ''): string[] {
  const keyframes = 'log-level=error:keyint=48:min-keyint=48:open-gop=0:bframes=2';
  return [
    ...['-c:v', 'libx265', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p10le'],
    ...['-x265-params', `${keyframes}:transfer=${transfer}${colours}`],
  ];
}

async function filmOf(name: string, film: TimecodedFilm, choices?: TitleChoices): Promise<Title> {
  const file = path.join(folder, name);
  await writeTimecodedFilm(file, { seconds: 6, size: '192x108', ...film });
  return titleOf(file, choices);
}

/** Heads at every segment together have the frames of the source. */
async function expectExact(title: Title, rendition = videoOf(title)): Promise<void> {
  const starts = Array.from({ length: segmentCount(title) }, (_, index) => index);
  const frames = await framesOf(await runHeads(title, rendition, starts));
  expect(differences(frames, await sourceFrames(title))).toEqual([]);
}

/** Mean luma of a part of each frame. */
async function lumaOf(media: Buffer, crop: string): Promise<number[]> {
  const file = path.join(folder, 'luma.mp4');
  await writeFile(file, media);
  const filters = `crop=${crop},scale=1:1:flags=area,format=gray`;
  const args = ['-v', 'error', '-i', file, '-vf', filters, '-fps_mode', 'passthrough', '-f', 'rawvideo', 'pipe:1'];
  const { stdout } = await run('ffmpeg', args, { encoding: 'buffer' });
  return [...stdout];
}

describe('heads of any picture', () => {
  it.each<{ name: string; film: TimecodedFilm; choices?: TitleChoices }>([
    { name: 'ten-bit.mp4', film: { output: hevc('bt709') } },
    { name: 'four-two-two.mp4', film: { output: [...EVERY_2_S, '-pix_fmt', 'yuv422p'] } },
    { name: 'odd.mkv', film: { size: '193x109', output: [...EVERY_2_S, '-pix_fmt', 'yuv444p'] } },
    {
      name: 'wide-pixels.mp4',
      film: { filters: 'setsar=2', output: EVERY_2_S },
      choices: { size: { width: 384, height: 108 } },
    },
    { name: 'mpeg2.ts', film: { output: ['-c:v', 'mpeg2video', '-b:v', '2M', '-g', '24', '-bf', '2'] } },
    {
      name: 'vp9.webm',
      film: { output: ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-g', '48', '-b:v', '500k'] },
    },
    {
      name: 'interlaced.mp4',
      film: { output: [...EVERY_2_S, '-flags', '+ildct+ilme', '-x264-params', 'tff=1'] },
      choices: { isInterlaced: true },
    },
    {
      name: 'hdr10.mp4',
      film: { output: hevc('smpte2084', ':colorprim=bt2020:colormatrix=bt2020nc') },
      choices: { isHdr: true },
    },
    { name: 'hdr-without-colours.mp4', film: { output: hevc('smpte2084') }, choices: { isHdr: true } },
    {
      name: 'hlg.mkv',
      film: { output: hevc('arib-std-b67', ':colorprim=bt2020:colormatrix=bt2020nc') },
      choices: { isHdr: true },
    },
  ])('have every frame of $name', async ({ name, film, choices }) => {
    const title = await filmOf(name, film, choices);
    const rendition = videoOf(title);
    expect(segmentCount(title)).toBeGreaterThanOrEqual(3);
    await expectExact(title, rendition);
    const { init } = await runHead(title, rendition, 1, 2);
    expect(init).toMatchObject({ codec: rendition.codec, width: rendition.width, height: rendition.height });
  });

  it('turn a picture that lies on its side', async () => {
    const lying = path.join(folder, 'lying.mp4');
    await writeTimecodedFilm(lying, { seconds: 6, filters: 'transpose=cclock', output: EVERY_2_S });
    const turned = path.join(folder, 'turned.mp4');
    await run('ffmpeg', ['-v', 'error', '-i', lying, '-c', 'copy', '-metadata:s:v', 'rotate=270', turned]);
    const title = await titleOf(turned, { size: { width: 320, height: 180 } });
    expect(videoOf(title)).toMatchObject({ width: 160, height: 90 });
    await expectExact(title);
  });

  it('leave out the same frames above a rung’s frame rate', async () => {
    for (const [name, rate] of [
      ['fast.mp4', '60'],
      ['fast.mkv', '60000/1001'],
    ] as const) {
      const title = await filmOf(name, { rate, output: ['-g', '90', '-bf', '2'] }, { targetMs: 1_500 });
      for (const [maxFrameRate, divisor] of [
        [30, 2],
        [20, 3],
      ] as const) {
        const rendition = videoOf(title, cheapRung({ maxFrameRate }));
        const expected = (await sourceFrames(title)).filter(({ number }) => number % divisor === 0);
        for (const starts of [[0], [0, 1, 2, 3]]) {
          const frames = await framesOf(await runHeads(title, rendition, starts));
          expect(differences(frames, expected)).toEqual([]);
        }
      }
    }
  });

  it('burn in the subtitle that is already shown where they begin', async () => {
    const subtitles = path.join(folder, 'boxes.sup');
    const box = { x: 64, y: 10, width: 64, height: 40, luma: 235 };
    // Muxed files begin with their first subtitle.
    const boxes = [
      { ...box, startS: 0, endS: 0.5 },
      { ...box, startS: 1, endS: 5 },
    ];
    await writeFile(subtitles, pgsFile(boxes, { width: 192, height: 108 }));
    const plain = path.join(folder, 'plain.mkv');
    await writeTimecodedFilm(plain, {
      seconds: 8,
      size: '192x108',
      filters: 'drawbox=x=56:y=6:w=80:h=48:color=black:t=fill',
      output: EVERY_2_S,
    });
    const file = path.join(folder, 'subtitled.mkv');
    await run('ffmpeg', ['-v', 'error', '-i', plain, '-i', subtitles, '-map', '0', '-map', '1', '-c', 'copy', file]);
    const title = await titleOf(file);
    const rendition = videoOf(title, cheapRung({ height: 108 }), 0);
    await expectExact(title, rendition);
    for (const starts of [[0], [0, 1, 2, 3]]) {
      const media = join(await runHeads(title, rendition, starts));
      const lumas = await lumaOf(media, '48:24:72:18');
      // Containers round when a subtitle comes and goes.
      const atEdge = (frame: number): boolean => [12, 24, 120].includes(frame);
      const isShown = (frame: number): boolean => frame < 12 || (frame > 24 && frame < 120);
      const wrong = lumas.flatMap((luma, frame) => (atEdge(frame) || luma > 150 === isShown(frame) ? [] : [frame]));
      expect(wrong).toEqual([]);
      expect(lumas).toHaveLength(192);
    }
  });
});
