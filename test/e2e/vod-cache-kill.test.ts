import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DiskBudget } from '../../src/cache/disk-budget.ts';
import { SegmentCache } from '../../src/cache/segment-cache.ts';
import { systemClock } from '../../src/util/clock.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { checkFilm, FILMS, filmProfile, initOf, SEGMENTS, segmentOf } from '../cache/killed-films.ts';

const ROUNDS = 12;
const PLAYER = path.join(import.meta.dirname, '../cache/cache-player.ts');

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'killed-cache-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** Runs a player and kills it while it writes, after so many segments. Gives what it said was wrong. */
async function playAndKill(segments: number): Promise<string[]> {
  const child = spawn(process.execPath, ['--import', 'tsx', PLAYER, root], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    if (said.length >= segments) child.kill('SIGKILL');
  });
  expect(await exited).toEqual([null, 'SIGKILL']);
  return said.match(/WRONG.*/g) ?? [];
}

async function openCache(): Promise<{ cache: SegmentCache; budget: DiskBudget }> {
  const budget = new DiskBudget(10_000_000);
  return { budget, cache: await SegmentCache.open({ root, budget, clock: systemClock, logger: silentLogger }) };
}

async function bytesOnDisk(): Promise<number> {
  const files = await readdir(root, { recursive: true, withFileTypes: true });
  const media = files.filter((file) => /^(seg-|init)/.test(file.name));
  const sizes = await Promise.all(media.map((file) => stat(path.join(file.parentPath, file.name))));
  return sizes.reduce((sum, { size }) => sum + size, 0);
}

describe('a cache whose process is killed again and again', () => {
  it('never gives a wrong byte, is never sealed wrongly, and loses little', async () => {
    let kept = 0;
    let sealed = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      expect(await playAndKill(1 + Math.floor(Math.random() * 80))).toEqual([]);
      const { cache, budget } = await openCache();
      for (let film = 0; film < FILMS; film += 1) {
        const lease = await cache.acquire(filmProfile(film), SEGMENTS);
        if (lease === undefined) continue;
        kept += await checkFilm(lease, film);
        if (lease.isComplete) sealed += 1;
        await lease.release();
      }
      expect(cache.report().totals.invalidations).toBe(0);
      expect(await bytesOnDisk()).toBe(budget.usedBytes);
      await cache.close();
    }
    expect(kept).toBeGreaterThan(ROUNDS);
    expect(sealed).toBeGreaterThan(0);
  });

  it('can be filled afterwards', async () => {
    const { cache } = await openCache();
    for (let film = 0; film < FILMS; film += 1) {
      const profile = filmProfile(film);
      const lease = (await cache.acquire(profile, SEGMENTS)) ?? (await cache.create(profile, SEGMENTS, initOf(film)));
      const writer = lease.writer()!;
      const run = writer.beginRun();
      for (let index = 0; index < SEGMENTS; index += 1) {
        await writer.write({ run, index, bytes: segmentOf(film, index), durationTicks: index });
      }
      expect(await writer.seal()).toBe(true);
      expect(await checkFilm(lease, film)).toBe(SEGMENTS);
      await lease.release();
    }
    await cache.close();
  });
});
