import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { TitleReader } from '../../../src/vod/source/title-reader.ts';
import { silentLogger } from '../../../src/util/logger.ts';
import { type CountedSource, film, H264, PICTURE, SOUND, sourceOf, temporaryFolder } from '../../support/films.ts';

let media: string;
let file: string;
let folder: string;
let source: CountedSource;

beforeAll(async () => {
  media = await mkdtemp(path.join(os.tmpdir(), 'laddercast-titles-'));
  file = await film(media, ...PICTURE, ...SOUND, '-t', '11', ...H264, '-c:a', 'aac', 'film.mp4');
});

afterAll(() => rm(media, { recursive: true }));

beforeEach(async () => {
  folder = path.join(await temporaryFolder(), 'titles');
  source = await sourceOf(file);
});

function reader(changes: { ffprobePath?: string; segmentTargetMs?: number } = {}): TitleReader {
  return new TitleReader({ folder, ffprobePath: 'ffprobe', segmentTargetMs: 4_000, logger: silentLogger, ...changes });
}

/** A reader that can only tell what is stored: it has no ffprobe. */
const withoutFfprobe = (): TitleReader => reader({ ffprobePath: '/nonexistent/ffprobe' });
const stored = async (): Promise<string> => path.join(folder, (await readdir(folder))[0] ?? '');

describe('TitleReader', () => {
  it('tells what is in a source and where its segments begin', async () => {
    const title = await reader().read(source);
    expect(title).toMatchObject({ source, format: 'mov,mp4,m4a,3gp,3g2,mj2', startTicks: 0, durationTicks: 990_000 });
    expect(title.plan).toEqual({
      boundaries: [0, 180_000, 540_000, 990_000],
      keyframes: [0, 180_000, 360_000, 540_000, 720_000],
      atKeyframes: true,
    });
    expect(title.video).toMatchObject({
      codec: 'h264',
      width: 320,
      height: 180,
      frameRate: 24,
      copyObjection: undefined,
    });
    expect(title.audio).toMatchObject([{ streamIndex: 1, codec: 'aac', channels: 1, sampleRate: 48_000 }]);
    expect(Object.isFrozen(title.plan.boundaries)).toBe(true);
  });

  it('closes all that it opens', async () => {
    await reader().read(source);
    expect(source.uses).toMatchObject({ openInputs: 0, openReaders: 0 });
    const text = path.join(media, 'text.mp4');
    await writeFile(text, 'no film at all\n'.repeat(500));
    const bad = await sourceOf(text);
    await expect(reader().read(bad)).rejects.toMatchObject({ code: 'BAD_MEDIA' });
    expect(bad.uses).toMatchObject({ inputs: 1, openInputs: 0, openReaders: 0 });
  });

  it('looks at a source once, for all who ask, now and later', async () => {
    const titles = reader();
    const all = await Promise.all([titles.read(source), titles.read(await sourceOf(file)), titles.read(source)]);
    expect(source.uses.inputs).toBe(1);
    expect(all[1].plan).toBe(all[0].plan);
    expect((await titles.read(await sourceOf(file))).plan).toBe(all[0].plan);
  });

  it('knows it after a restart without looking again', async () => {
    const title = await reader().read(source);
    const again = await sourceOf(file);
    expect(await withoutFfprobe().read(again)).toEqual({ ...title, source: again });
    expect(again.uses).toMatchObject({ inputs: 0, readers: 0 });
  });

  it('looks again at a file that has changed, and for another segment duration', async () => {
    const title = await reader().read(source);
    await expect(withoutFfprobe().read({ ...source, identity: `${source.identity} ` })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    const shorter = await reader({ segmentTargetMs: 2_000 }).read(source);
    expect(shorter.plan.boundaries.length).toBeGreaterThan(title.plan.boundaries.length);
  });

  it.each([
    { name: 'torn', change: (text: string) => text.slice(0, 500) },
    { name: 'of another version', change: (text: string) => text.replace('"format":1', '"format":0') },
    { name: 'without a plan', change: (text: string) => text.replace('"plan"', '"plans"') },
    {
      name: 'out of order',
      change: (text: string) => text.replace('"boundaries":[0,180000', '"boundaries":[180000,0'),
    },
    { name: 'too large', change: (text: string) => text + ' '.repeat(4 * 1024 * 1024) },
  ])('looks again when what it stored is $name', async ({ change }) => {
    const title = await reader().read(source);
    const text = await readFile(await stored(), 'utf8');
    expect(change(text)).not.toBe(text);
    await writeFile(await stored(), change(text));
    await expect(withoutFfprobe().read(source)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await reader().read(source)).toEqual(title);
    expect(await withoutFfprobe().read(source)).toEqual(title);
  });

  it('stores 1,000 titles at most; those that were used longest ago go', async () => {
    await reader().read(source);
    const first = await stored();
    for (let index = 0; index < 1_000; index += 1) {
      const other = path.join(folder, `${index}.json`);
      await writeFile(other, '{}');
      await utimes(other, 1_000 + index, 1_000 + index);
    }
    await utimes(first, 1, 1);
    await withoutFfprobe().read(source);
    await reader().read({ ...source, identity: 'another' });
    expect(await readdir(folder)).toHaveLength(1_000);
    expect((await stat(first)).isFile()).toBe(true);
    await expect(stat(path.join(folder, '1.json'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect((await stat(path.join(folder, '2.json'))).isFile()).toBe(true);
  });

  it('plays what it cannot store', async () => {
    await writeFile(folder, 'a file where the folder should be');
    const warn = vi.fn();
    const options = { folder, ffprobePath: 'ffprobe', segmentTargetMs: 4_000, logger: { ...silentLogger, warn } };
    expect((await new TitleReader(options).read(source)).durationTicks).toBe(990_000);
    expect(warn).toHaveBeenCalledWith(expect.anything(), 'facts about a source not stored');
  });

  it('finds the subtitle files that are there now', async () => {
    const titles = reader();
    expect((await titles.read(source)).subtitles).toEqual([]);
    const sidecar = path.join(media, 'film.de.srt');
    await writeFile(sidecar, '1\n00:00:01,000 --> 00:00:02,000\nHallo\n');
    expect((await titles.read(source)).subtitles).toMatchObject([{ language: 'de', sidecarPath: sidecar }]);
    await rm(sidecar);
    expect((await withoutFfprobe().read(source)).subtitles).toEqual([]);
  });

  it('gives up once nobody waits any more', async () => {
    const titles = reader();
    const [one, other] = [new AbortController(), new AbortController()];
    const reads = [titles.read(source, one.signal), titles.read(source, other.signal)];
    one.abort();
    await expect(reads[0]).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    other.abort();
    await expect(reads[1]).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await vi.waitFor(() => expect(source.uses.openInputs).toBe(0));
    expect((await titles.read(source)).durationTicks).toBe(990_000);
  });

  it('goes on for those who still wait', async () => {
    const titles = reader();
    const controller = new AbortController();
    const left = titles.read(source, controller.signal);
    const waiting = titles.read(source);
    controller.abort();
    await expect(left).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect((await waiting).durationTicks).toBe(990_000);
    expect(source.uses.inputs).toBe(1);
  });

  it('ends what is under way when it is closed', async () => {
    const titles = reader();
    const read = titles.read(source);
    const closed = titles.close();
    await expect(read).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await closed;
    expect(source.uses.openInputs).toBe(0);
    await expect(titles.read(source)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('a file that ends earlier than it tells', () => {
  it('has the segments that were found, also after a restart', async () => {
    const titles = reader();
    await titles.read(source);
    await titles.shorten(source, 2);
    const title = await titles.read(source);
    expect(title.plan.boundaries).toEqual([0, 180_000, 540_000]);
    expect(title.plan.keyframes).toEqual([0, 180_000, 360_000]);
    expect(title.durationTicks).toBe(540_000);
    expect((await withoutFfprobe().read(source)).plan).toEqual(title.plan);
  });

  it('never grows', async () => {
    const titles = reader();
    const { plan } = await titles.read(source);
    for (const segments of [3, 4, 100]) await titles.shorten(source, segments);
    expect((await titles.read(source)).plan).toBe(plan);
  });

  it('is looked at anew if it has no segment at all', async () => {
    const titles = reader();
    await titles.read(source);
    await titles.shorten(source, 0);
    expect(await readdir(folder)).toEqual([]);
    await titles.read(source);
    expect(source.uses.inputs).toBe(2);
  });

  it('is shortened by who has not read it, but never a source on a web server', async () => {
    await reader().read(source);
    await withoutFfprobe().shorten({ ...source, kind: 'http' }, 1);
    expect((await withoutFfprobe().read(source)).plan.boundaries).toHaveLength(4);
    await withoutFfprobe().shorten(source, 1);
    expect((await withoutFfprobe().read(source)).plan.boundaries).toHaveLength(2);
    await withoutFfprobe().shorten({ ...source, identity: 'never read' }, 1);
    expect(await readdir(folder)).toHaveLength(1);
  });
});
