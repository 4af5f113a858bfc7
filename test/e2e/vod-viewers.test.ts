import { setMaxListeners } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppError } from '../../src/util/errors.ts';
import { TIMELINE_ORIGIN_TICKS } from '../../src/vod/encode/canonical-fragment.ts';
import type { RenditionHandle } from '../../src/vod/play/rendition-handle.ts';
import { readTimecodes, writeTimecodedFilm } from '../support/timecode.ts';
import { differences } from '../support/vod-heads.ts';
import { bytesOf, openPlayer } from '../support/vod-player.ts';

const VIEWERS = 50;
const SECONDS = 160;
const { signal } = new AbortController();
setMaxListeners(2 * VIEWERS, signal);
let folder: string;
let film: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-viewers-'));
  film = path.join(folder, 'film.mp4');
  await writeTimecodedFilm(film, { size: '160x90', seconds: SECONDS, output: ['-g', '48'] });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** The encoders that this process has as children now. */
async function encoderCount(): Promise<number> {
  const threads = await readdir('/proc/self/task');
  const lists = await Promise.all(
    threads.map((thread) => readFile(`/proc/self/task/${thread}/children`, 'utf8').catch(() => '')),
  );
  const children = lists.flatMap((list) => list.split(' ').filter((pid) => pid !== ''));
  const commands = await Promise.all(children.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return commands.filter((command) => command.includes(film)).length;
}

/** Notes the most encoders that there are while something goes on. */
async function mostEncoders(during: Promise<unknown>): Promise<number> {
  let most = 0;
  const over = during.then(() => 'over');
  for (;;) {
    const isOver = await Promise.race([over, setTimeout(5, 'not yet')]);
    if (isOver === 'over') return most;
    most = Math.max(most, await encoderCount());
  }
}

/** As a player does that is told to come again. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'UNAVAILABLE')) throw error;
    }
  }
}

/** Plays some segments; their bytes by number. */
async function watch(viewer: RenditionHandle, first: number, count: number): Promise<Map<number, Buffer>> {
  const segments = new Map<number, Buffer>();
  await patiently(() => viewer.init(signal));
  for (let index = first; index < Math.min(first + count, viewer.segmentCount); index += 1) {
    segments.set(index, await bytesOf(await patiently(() => viewer.segment(index, signal))));
  }
  return segments;
}

describe('many viewers of one film', () => {
  it('at different places share two encoders, and each sees the right frames', async () => {
    const player = await openPlayer({ folder, film, maxEncoders: 2, aheadSegments: 4 });
    const [rendition] = player.renditions;
    const viewers = Array.from({ length: VIEWERS }, () => player.pool.open(player.title, rendition!));
    const { segmentCount } = viewers[0]!;
    const watching = Promise.all(
      viewers.map((viewer, place) => watch(viewer, Math.floor((place * segmentCount) / VIEWERS), 3)),
    );
    expect(await mostEncoders(watching)).toBeLessThanOrEqual(2);
    const watched = await watching;

    const source = await readTimecodes(film, player.title.startTicks);
    const init = await bytesOf(await viewers[0]!.init(signal));
    const whole = new Map(watched.flatMap((segments) => [...segments]));
    const ordered = [...whole].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
    expect(ordered).toHaveLength(segmentCount);
    const frames = await readTimecodes(Buffer.concat([init, ...ordered]), TIMELINE_ORIGIN_TICKS);
    expect(differences(frames, source)).toEqual([]);
    // Nothing was encoded twice.
    expect(player.pool.report().segmentsEncoded).toBe(segmentCount);
    await player.close();

    const again = await openPlayer({ folder, film });
    const second = again.pool.open(again.title, rendition!);
    expect((await watch(second, 0, segmentCount)).size).toBe(segmentCount);
    expect(again.pool.report()).toMatchObject({ headsStarted: 0, segmentsEncoded: 0, hits: segmentCount });
    await again.close();
  });

  it('at three places use no more than three encoders, however many they might', async () => {
    const player = await openPlayer({ folder, film, maxEncoders: 16, aheadSegments: 4 });
    const rendition = player.renditions[1]!;
    const viewers = Array.from({ length: VIEWERS }, () => player.pool.open(player.title, rendition));
    const watching = Promise.all(viewers.map((viewer, place) => watch(viewer, (place % 3) * 25, 4)));
    expect(await mostEncoders(watching)).toBeLessThanOrEqual(3);
    const { headsStarted, segmentsEncoded } = player.pool.report();
    expect(headsStarted).toBe(3);
    expect(segmentsEncoded).toBeLessThanOrEqual(3 * 9);
    await player.close();
  });
});
