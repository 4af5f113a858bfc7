import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/util/logger.ts';
import { AppError } from '../../../src/util/errors.ts';
import { deferred } from '../../../src/util/deferred.ts';
import { Head, type HeadOptions } from '../../../src/vod/encode/head.ts';
import type { Title } from '../../../src/vod/source/title.ts';
import { writeTimecodedFilm } from '../../support/timecode.ts';
import { audioOf, cheapRung, copyOf, runHead, runHeads, join, testBinary, videoOf } from '../../support/vod-heads.ts';
import { titleOf } from '../../support/vod-title.ts';

let folder: string;
let film: Title;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-head-'));
  const file = path.join(folder, 'film.mp4');
  const output = ['-g', '48', '-bf', '2', '-movflags', 'faststart'];
  await writeTimecodedFilm(file, { seconds: 10, size: '160x90', output, sounds: ['440'] });
  film = await titleOf(file, { copy: true });
}, 60_000);

afterAll(() => rm(folder, { recursive: true }));

function headOf(options: Partial<HeadOptions> = {}): { head: Head; made: number[] } {
  const made: number[] = [];
  const head = new Head({
    ...{ binary: testBinary, title: film, rendition: videoOf(film), first: 0, end: 5, logger: silentLogger },
    onSegment: ({ index }) => made.push(index),
    ...options,
  });
  return { head, made };
}

/** The film, as if another source had its bytes. */
function filmIn(file: string, source: Partial<Title['source']> = {}): Title {
  const openInput = () => Promise.resolve({ url: `file:${file}`, options: [], release: () => undefined });
  return { ...film, source: { ...film.source, openInput, ...source } };
}

describe('a head', () => {
  it('makes its segments in order, and no others, with the same init as any other', async () => {
    for (const rendition of [
      videoOf(film),
      copyOf(film),
      audioOf(film),
      { ...audioOf(film), mode: 'encode' as const },
    ]) {
      const runs = await runHeads(film, rendition, [0, 2, 4]);
      expect(runs.map(({ segments }) => segments.map(({ index }) => index))).toEqual([[0, 1], [2, 3], [4]]);
      expect(runs.map(({ end }) => end)).toEqual([
        { ended: 'complete', lastIndex: 1 },
        { ended: 'complete', lastIndex: 3 },
        { ended: 'complete', lastIndex: 4 },
      ]);
      expect(join(runs).length).toBeGreaterThan(1_000);
    }
  });

  it('knows its init before its first segment', async () => {
    const order: string[] = [];
    const { head } = headOf({ onSegment: ({ index }) => order.push(`segment ${index}`) });
    void head.init.then(({ codec }) => order.push(codec));
    head.start();
    await head.done;
    expect(order[0]).toBe(videoOf(film).codec);
    expect(order).toHaveLength(6);
  });

  it('stops taking output while it is paused, and misses nothing', async () => {
    const file = path.join(folder, 'noise.mp4');
    const noise = ['-crf', '4', '-g', '24', '-bf', '0'];
    await writeTimecodedFilm(file, { seconds: 8, size: '640x360', filters: 'noise=alls=60:allf=t', output: noise });
    const title = await titleOf(file, { copy: true, targetMs: 1_000 });
    const first = deferred();
    const made: number[] = [];
    const { head } = headOf({
      ...{ title, rendition: copyOf(title), end: 8 },
      onSegment: ({ index }) => {
        made.push(index);
        if (made.length === 1) head.pause();
        first.resolve();
      },
    });
    head.start();
    await first.promise;
    // As long as that takes, an unpaused head would have been done several times.
    await runHead(title, copyOf(title), 0, 8);
    expect(made.length).toBeLessThanOrEqual(2);
    head.resume();
    expect(await head.done).toEqual({ ended: 'complete', lastIndex: 7 });
    expect(made).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('is gone once it is closed, paused or not', async () => {
    for (const paused of [false, true]) {
      const { head, made } = headOf();
      if (paused) head.pause();
      head.start();
      await Promise.all([head.close(), head.close()]);
      const count = made.length;
      expect(await head.done).toMatchObject({ ended: 'closed' });
      expect(made.length).toBe(count);
    }
    const { head } = headOf();
    await head.close();
    head.start();
    expect(await head.done).toEqual({ ended: 'closed', lastIndex: undefined });
    await expect(head.init).rejects.toThrow('there is no init');
  });

  it('tells where a file ends before its time', async () => {
    const whole = await readFile(film.source.path!);
    const file = path.join(folder, 'cut.mp4');
    await writeFile(file, whole.subarray(0, Math.round(whole.length * 0.5)));
    for (const rendition of [videoOf(film), copyOf(film)]) {
      const { segments, end } = await runHead(filmIn(file), rendition);
      expect(end.ended).toBe('early');
      expect(end.lastIndex).toBe(segments.length - 1);
      expect(segments.length).toBeGreaterThan(0);
      expect(segments.length).toBeLessThan(5);
      expect((await runHead(filmIn(file), rendition, 4)).end).toEqual({ ended: 'early', lastIndex: undefined });
    }
  });

  it('takes what comes from the network for cut off, not for short', async () => {
    const { end } = await runHead(filmIn(path.join(folder, 'cut.mp4'), { kind: 'http' }), videoOf(film));
    expect(end).toMatchObject({ ended: 'failed', code: 'UNAVAILABLE', reason: 'the source ended early' });
  });

  it('says whose fault it is that it fails', async () => {
    const file = path.join(folder, 'text.mp4');
    await writeFile(file, 'this is no film\n'.repeat(100));
    const { init, end } = await runHead(filmIn(file), videoOf(film));
    expect(init).toBeUndefined();
    expect(end).toMatchObject({ ended: 'failed', code: 'BAD_MEDIA' });
    expect(end.reason).toContain('Invalid data found');
    expect(end.reason).not.toContain(folder);

    const openInput = () => Promise.reject(new AppError('GONE', 'film.mp4 has changed'));
    const gone = await runHead({ ...film, source: { ...film.source, openInput } }, videoOf(film));
    expect(gone.end).toEqual({ ended: 'failed', code: 'GONE', reason: 'film.mp4 has changed', lastIndex: undefined });

    const { head } = headOf({ binary: { ...testBinary, path: path.join(folder, 'no-ffmpeg') } });
    head.start();
    expect(await head.done).toMatchObject({ ended: 'failed', code: 'TRANSCODER_FAILED' });
  });

  it('lets go of its input, however it ends', async () => {
    let open = 0;
    const openInput = () => {
      open += 1;
      return Promise.resolve({ url: `file:${film.source.path!}`, options: [], release: () => (open -= 1) });
    };
    const title = { ...film, source: { ...film.source, openInput } };
    await runHead(title, videoOf(film), 4);
    const { head } = headOf({ title });
    head.start();
    await head.close();
    expect(open).toBe(0);
  });

  it('is refused for segments that there are not, and for too many', () => {
    for (const range of [
      { first: 0, end: 6 },
      { first: 2, end: 2 },
      { first: -1, end: 2 },
    ]) {
      expect(() => headOf(range)).toThrow(TypeError);
    }
    const boundaries = Array.from({ length: 300 }, (_, index) => index * 90_000);
    const long = { ...film, plan: { ...film.plan, boundaries } };
    expect(() => headOf({ title: long, end: 201 })).toThrow('a head cannot make the segments from 0 to 201');
    expect(() => headOf({ title: long, end: 200 })).not.toThrow();
  });

  it('makes what the codec string says, with any profile and preset', async () => {
    for (const spec of [
      { preset: 'veryfast' },
      { preset: 'ultrafast', videoBitrateKbps: 3_000 },
      { preset: 'superfast', profile: 'main' as const },
      { preset: 'ultrafast', profile: 'main' as const, maxFrameRate: 12 },
      { preset: 'veryfast', profile: 'baseline' as const },
    ]) {
      const rendition = videoOf(film, cheapRung(spec));
      const { init } = await runHead(film, rendition, 4);
      expect(init).toMatchObject({ codec: rendition.codec, width: rendition.width, height: rendition.height });
    }
  });
});
