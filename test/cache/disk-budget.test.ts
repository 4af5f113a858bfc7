import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DiskBudget } from '../../src/cache/disk-budget.ts';

const GB = 1024 ** 3;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'disk-budget-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function maxBytes(size: number | string): Promise<number> {
  return (await DiskBudget.open({ folder: path.join(folder, 'data'), size })).maxBytes;
}

describe('a limit that people give', () => {
  it('is GB, 1 at least', async () => {
    expect(await maxBytes(5)).toBe(5 * GB);
    expect(await maxBytes(0.5)).toBe(GB);
  });

  it('or a share of the disk', async () => {
    const { bsize, blocks } = await statfs(folder);
    expect(await maxBytes('100%')).toBe(Math.max(GB, bsize * blocks));
    expect(await maxBytes('50%')).toBe(Math.max(GB, Math.floor((bsize * blocks) / 2)));
    expect(await maxBytes('0.001%')).toBe(GB);
  });

  it.each(['', '10', '%', '-1%', '0%', '101%', 'ten%', 0, -1, NaN])('is refused if it is %j', async (size) => {
    await expect(maxBytes(size)).rejects.toMatchObject({ code: 'BAD_CONFIG' });
  });

  it('is refused if the folder cannot be made', async () => {
    await writeFile(path.join(folder, 'data'), '');
    await expect(maxBytes('10%')).rejects.toMatchObject({ code: 'BAD_CONFIG' });
  });
});

describe('a budget', () => {
  it('asks others to give up what is too much, and no more', () => {
    const budget = new DiskBudget(100);
    const asked: [number, string][] = [];
    const remove = budget.addReclaimer({
      reclaim: (bytes, cause) => {
        asked.push([bytes, cause]);
        budget.giveBack(Math.min(bytes, 30));
        return Promise.resolve();
      },
    });
    budget.take(90);
    expect(budget.makeRoom(10)).toBe(true);
    expect(asked).toEqual([]);
    expect(budget.makeRoom(25)).toBe(true);
    expect(budget.usedBytes).toBe(75);
    budget.take(75);
    expect(budget.makeRoom()).toBe(false);
    expect(asked).toEqual([
      [15, 'budget'],
      [50, 'budget'],
    ]);
    remove();
    expect(budget.makeRoom()).toBe(false);
    expect(asked).toHaveLength(2);
  });

  it('asks for more than is needed when the disk is full, and tells whether that helped', async () => {
    const budget = new DiskBudget(100);
    expect(await budget.relieve(1)).toBe(false);
    budget.take(10);
    budget.addReclaimer({
      reclaim: (bytes, cause) => {
        expect([bytes > 1_000_000, cause]).toEqual([true, 'disk']);
        budget.giveBack(10);
        return Promise.resolve();
      },
    });
    expect(await budget.relieve(1)).toBe(true);
  });
});
