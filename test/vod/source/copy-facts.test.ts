import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/util/logger.ts';
import { scanSource, type TitleFacts } from '../../../src/vod/source/scan-source.ts';
import { bytesOf, film, H264, PICTURE, SOUND, sourceOf } from '../../support/films.ts';
import { avcCodecOf } from '../../../src/vod/source/copy-facts.ts';
import { readMp4Index } from '../../../src/vod/source/mp4-index.ts';

const OPTIONS = { ffprobePath: 'ffprobe', targetTicks: 360_000, logger: silentLogger };
const AAC = ['-c:a', 'aac'];

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-copy-'));
  await film(folder, ...PICTURE, ...SOUND, '-t', '13', ...H264, ...AAC, 'film.mp4');
});

afterAll(() => rm(folder, { recursive: true }));

async function scan(file: string): Promise<TitleFacts> {
  return scanSource(await sourceOf(path.join(folder, file)), OPTIONS);
}

/** What is found in the film after ffmpeg has made something else of it. */
async function remade(...args: readonly string[]): Promise<TitleFacts> {
  await film(folder, '-i', 'film.mp4', ...args);
  return scan(args.at(-1) ?? '');
}

/** What is found in a new film of five seconds. */
async function made(...args: readonly string[]): Promise<TitleFacts> {
  await film(folder, ...PICTURE, '-t', '5', ...args);
  return scan(args.at(-1) ?? '');
}

describe('frames that may be served as they are', () => {
  it('have a codec string and rates that hold for every segment', async () => {
    const { video, plan } = await scan('film.mp4');
    const copy = video!.copy!;
    expect(video!.copyObjection).toBeUndefined();
    const bytes = await bytesOf(path.join(folder, 'film.mp4'));
    const { config, gopBytes } = (await readMp4Index(bytes, 1))!;
    await bytes.close();
    expect(copy.codec).toBe(`avc1.${config!.toString('hex', 1, 4)}`);
    // Groups of two seconds; the last one of one.
    const groups = [[0], [1, 2], [3, 4], [5, 6]].map((parts) => parts.reduce((sum, n) => sum + gopBytes[n]!, 0) * 8);
    const rates = groups.map((bits, n) => (bits * 90_000) / (plan.boundaries[n + 1]! - plan.boundaries[n]!));
    expect(copy.bandwidth).toBe(Math.ceil(Math.max(...rates)) + 16_000);
    expect(copy.averageBandwidth).toBe(Math.ceil(groups.reduce((sum, bits) => sum + bits) / 13) + 16_000);
    expect(copy.reorderTicks).toBe(3_750);
  });

  it('are those of Matroska and of transport streams, too', async () => {
    const { codec, averageBandwidth } = (await scan('film.mp4')).video!.copy!;
    for (const name of ['copied.mkv', 'copied.ts']) {
      const { video } = await remade('-c', 'copy', name);
      expect(video?.copy?.codec).toBe(codec);
      expect(video!.copy!.averageBandwidth).toBeGreaterThan(averageBandwidth * 0.95);
      expect(video!.copy!.averageBandwidth).toBeLessThan(averageBandwidth * 1.5);
    }
  });

  it.each([
    {
      name: 'HEVC',
      args: ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=error'],
      says: /hevc/,
    },
    { name: '10-bit', args: [...H264, '-pix_fmt', 'yuv420p10le'], says: /profile is High 10/ },
    { name: '4:4:4', args: [...H264, '-pix_fmt', 'yuv444p'], says: /profile is High 4:4:4/ },
    { name: 'interlaced', args: [...H264, '-flags', '+ildct+ilme', '-field_order', 'tt'], says: /interlaced/ },
    { name: 'stretched', args: ['-vf', 'setsar=4/3', ...H264], says: /not square \(1\.333\)/ },
    { name: 'open', args: [...H264, '-x264-params', 'scenecut=0:open-gop=1'], says: /before the keyframe/ },
  ])('are not those of $name pictures', async ({ name, args, says }) => {
    const { video } = await made(...args, `${name.replaceAll(':', '')}.mp4`);
    expect(video?.copy).toBeUndefined();
    expect(video?.copyObjection).toMatch(says);
  });

  it('are not those of open groups in Matroska, of an edit between keyframes, or of rotated pictures', async () => {
    const open = await made(...H264, '-x264-params', 'scenecut=0:open-gop=1', 'open.mkv');
    expect(open.video?.copyObjection).toMatch(/before the keyframe/);
    await film(folder, '-ss', '1.3', '-i', 'film.mp4', '-c', 'copy', 'edited.mp4');
    const edited = await scan('edited.mp4');
    expect(edited.video?.copyObjection).toMatch(/edit list/);
    expect(edited.plan.boundaries[0]).toBe(0);
    expect(edited.plan.keyframes![0]).toBeGreaterThan(0);
    const rotated = await remade('-c', 'copy', '-metadata:s:v', 'rotate=90', 'rotated.mp4');
    expect(rotated.video).toMatchObject({ width: 180, height: 320, copyObjection: 'it is rotated' });
  });
});

describe('avcCodecOf', () => {
  const codecOf = (hex: string): string | undefined => avcCodecOf(Buffer.from(hex, 'hex'));

  it('reads both kinds of configuration', () => {
    expect(codecOf('0164001fffe1')).toBe('avc1.64001f');
    expect(codecOf('00000001674d401e95')).toBe('avc1.4d401e');
    expect(codecOf('0000010910000001674d401e95')).toBe('avc1.4d401e');
  });

  it.each(['', '01', '016400', '02', '00000168ee3c80', '000001674d40', 'ffffffff'])('reads none from %s', (hex) => {
    expect(codecOf(hex)).toBeUndefined();
  });
});
