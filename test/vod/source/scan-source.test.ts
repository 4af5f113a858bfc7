import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/util/logger.ts';
import type { MediaSource } from '../../../src/vod/source/media-source.ts';
import { scanSource, type TitleFacts } from '../../../src/vod/source/scan-source.ts';
import { film, H264, PICTURE, SOUND, sourceOf } from '../../support/films.ts';

const OPTIONS = { ffprobePath: 'ffprobe', targetTicks: 360_000, logger: silentLogger };
const AAC = ['-c:a', 'aac'];

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-scan-'));
  await film(folder, ...PICTURE, ...SOUND, '-t', '13', ...H264, ...AAC, 'film.mp4');
});

afterAll(() => rm(folder, { recursive: true }));

async function scan(file: string, kind?: MediaSource['kind']): Promise<TitleFacts> {
  return scanSource(await sourceOf(path.join(folder, file), kind), OPTIONS);
}

/** What is found in the film after ffmpeg has made something else of it. */
async function remade(...args: readonly string[]): Promise<TitleFacts> {
  await film(folder, '-i', 'film.mp4', ...args);
  return scan(args.at(-1) ?? '');
}

const secondsOf = ({ plan }: TitleFacts): number[] => plan.boundaries.map((ticks) => ticks / 90_000);
const refusal = (file: string): Promise<unknown> =>
  scan(file).then(
    () => 'no refusal',
    (error: unknown) => error,
  );

describe('the plan of a source', () => {
  it('is the same in every container that tells where keyframes are', async () => {
    expect(secondsOf(await scan('film.mp4'))).toEqual([0, 2, 6, 10, 13]);
    // Whose times are whole milliseconds.
    expect(secondsOf(await remade('-c', 'copy', '-an', 'film.mkv'))).toEqual([0, 2, 6, 10, 12.999]);
    const stream = await remade('-c', 'copy', '-output_ts_offset', '37', 'film.ts');
    expect(stream.startTicks).toBeGreaterThan(37 * 90_000);
    const first = stream.plan.boundaries[0]!;
    expect(stream.plan.boundaries.map((ticks) => (ticks - first) / 90_000)).toEqual([0, 2, 6, 10, 13]);
    expect(first).toBeLessThan(9_000);
    for (const title of [stream, await scan('film.mkv')]) expect(title.plan.atKeyframes).toBe(true);
  });

  it('of a fragmented file comes from its packets', async () => {
    const title = await remade('-c', 'copy', '-movflags', 'frag_keyframe+empty_moov', 'fragmented.mp4');
    const first = title.plan.boundaries[0]!;
    expect(title.plan.boundaries.map((ticks) => (ticks - first) / 90_000)).toEqual([0, 2, 6, 10, 13]);
    expect(title.video?.copy?.codec).toBe((await scan('film.mp4')).video?.copy?.codec);
  });

  it('cuts between keyframes that are far apart', async () => {
    await film(folder, ...PICTURE, '-t', '60', ...H264, '-g', '9999', 'rare.mp4');
    const title = await scan('rare.mp4');
    expect(secondsOf(title)).toEqual([0, 2, ...Array.from({ length: 14 }, (_, n) => 6 + 4 * n), 60]);
    expect(title.plan).toMatchObject({ keyframes: [0], atKeyframes: false });
    expect(title.video).toMatchObject({ copy: undefined, copyObjection: 'its keyframes are up to 60.0 s apart' });
    await film(folder, '-i', 'rare.mp4', '-c', 'copy', 'rare.mkv');
    expect(secondsOf(await scan('rare.mkv'))).toHaveLength(secondsOf(title).length);
  });

  it('ends where a cut-off file ends', async () => {
    await remade('-c', 'copy', '-movflags', 'faststart', 'cut.mp4');
    await remade('-c', 'copy', '-cues_to_front', '1', 'cut.mkv');
    await remade('-c', 'copy', 'cut.ts');
    for (const name of ['cut.mp4', 'cut.mkv', 'cut.ts']) {
      const whole = await scan(name);
      await truncate(path.join(folder, name), 400_000);
      const title = await scan(name);
      expect(title.durationTicks).toBeLessThan(whole.durationTicks - 90_000);
      expect(title.durationTicks).toBeGreaterThan(3 * 90_000);
      expect(title.plan.boundaries.slice(0, -1)).toEqual(
        whole.plan.boundaries.slice(0, title.plan.boundaries.length - 1),
      );
    }
  });

  it('of a film on a web server comes from its tables, without reading it', async () => {
    const local = await scan('film.mp4');
    const source = await sourceOf(path.join(folder, 'film.mp4'), 'http');
    expect(await scanSource(source, OPTIONS)).toEqual(local);
    expect(source.uses.bytesRead).toBeLessThan(source.sizeBytes / 20);
    await film(folder, '-i', 'film.mp4', '-c', 'copy', 'remote.mkv');
    const remote = await scan('remote.mkv', 'http');
    expect(remote.plan.keyframes).toEqual((await scan('remote.mkv')).plan.keyframes);
    expect(Math.abs(remote.durationTicks - 13 * 90_000)).toBeLessThan(9_000);
  });

  it('is blind where a film on a web server has no tables', async () => {
    await film(folder, '-i', 'film.mp4', '-c', 'copy', 'remote.ts');
    const title = await scan('remote.ts', 'http');
    expect(title.plan).toMatchObject({ keyframes: undefined, atKeyframes: false });
    const first = title.plan.boundaries[0]!;
    expect(title.plan.boundaries.slice(0, 4).map((ticks) => (ticks - first) / 90_000)).toEqual([0, 2, 6, 10]);
    expect(title.video).toMatchObject({ copy: undefined, copyObjection: 'nothing tells where its keyframes are' });
  });

  it('is blind where a file has no presentation times', async () => {
    const title = await remade('-c', 'copy', '-an', 'film.avi');
    expect(title.plan.keyframes).toBeUndefined();
    expect(title.durationTicks).toBe(13 * 90_000);
  });

  it('of sound alone has the same distances', async () => {
    expect(secondsOf(await remade('-vn', '-c', 'copy', 'sound.m4a')).slice(0, 4)).toEqual([0, 2, 6, 10]);
    const mp3 = await remade('-vn', '-c:a', 'mp3', 'sound.mp3');
    expect(mp3).toMatchObject({ video: undefined, plan: { keyframes: undefined, atKeyframes: false } });
    expect(mp3.durationTicks / 90_000).toBeCloseTo(13, 0);
  });

  it('of sound with a cover is that of sound', async () => {
    const cover = ['-map', '0:a', '-map', '1:v', '-c:a', 'copy', '-c:v', 'mjpeg', '-disposition:v', 'attached_pic'];
    await film(folder, ...PICTURE, '-frames:v', '1', 'cover.png');
    expect((await remade('-i', 'cover.png', ...cover, 'album.m4a')).video).toBeUndefined();
    const still = ['-map', '0:a', '-map', '1:v', '-c:a', 'copy', ...H264];
    const title = await remade('-i', 'cover.png', ...still, 'still.mp4');
    expect(title).toMatchObject({ video: undefined, audio: [{ codec: 'aac' }] });
  });
});

describe('a source that cannot be played', () => {
  it.each([
    { name: 'text', bytes: Buffer.from('no film at all\n'.repeat(1_000)) },
    { name: 'zeros', bytes: Buffer.alloc(100_000) },
    {
      name: 'a playlist',
      bytes: Buffer.from('#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfilm.mp4\n#EXT-X-ENDLIST\n'),
    },
    { name: 'a head without its movie box', bytes: Buffer.from('0000001c66747970697361', 'hex') },
  ])('is refused when it is $name', async ({ name, bytes }) => {
    await writeFile(path.join(folder, `${name}.mp4`), bytes);
    const source = await sourceOf(path.join(folder, `${name}.mp4`));
    const { openInput } = source;
    const formats = ['-protocol_whitelist', 'file', '-format_whitelist', 'mov,matroska,mpegts'];
    const confined = { ...source, openInput: async () => ({ ...(await openInput()), options: formats }) };
    const refused = scanSource(confined, OPTIONS);
    await expect(refused).rejects.toMatchObject({ code: 'BAD_MEDIA' });
    await expect(refused).rejects.toThrow(`"${name}.mp4" cannot be played: the source cannot be read: `);
    await expect(refused).rejects.not.toThrow(/@ 0x/);
  });

  it('is refused when it is a still picture, or has no duration', async () => {
    await film(folder, ...PICTURE, '-frames:v', '1', ...H264, 'picture.mp4');
    expect(await refusal('picture.mp4')).toMatchObject({ code: 'BAD_MEDIA' });
    expect(String(await refusal('picture.mp4'))).toMatch(/still picture \(0 frames per second\)/);
    await film(folder, ...PICTURE, '-t', '0', ...H264, 'nothing.mp4');
    expect(await refusal('nothing.mp4')).toMatchObject({ code: 'BAD_MEDIA' });
  });

  it('is refused when it holds nothing but subtitles', async () => {
    await writeFile(path.join(folder, 'lines.srt'), '1\n00:00:01,000 --> 00:00:02,000\nHello\n');
    await film(folder, '-i', 'lines.srt', '-c:s', 'srt', 'lines.mkv');
    expect(String(await refusal('lines.mkv'))).toMatch(/neither a picture nor sound/);
  });

  it('is refused when it is encrypted', async () => {
    const key = [
      '-encryption_scheme',
      'cenc-aes-ctr',
      '-encryption_key',
      '00'.repeat(16),
      '-encryption_kid',
      '01'.repeat(16),
    ];
    await film(folder, '-i', 'film.mp4', '-c', 'copy', ...key, 'encrypted.mp4');
    expect(await refusal('encrypted.mp4')).toMatchObject({ code: 'BAD_MEDIA' });
    expect(String(await refusal('encrypted.mp4'))).toMatch(/encrypted/);
  });

  it('is refused when ffprobe cannot be run, with another code', async () => {
    const source = await sourceOf(path.join(folder, 'film.mp4'));
    const scanned = scanSource(source, { ...OPTIONS, ffprobePath: '/nonexistent/ffprobe' });
    await expect(scanned).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(source.uses.openInputs).toBe(0);
  });
});
