import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DiskBudget } from '../../src/cache/disk-budget.ts';
import { PulledStore } from '../../src/cache/pulled-store.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { until } from '../support/poll.ts';

let root: string;
let store: PulledStore | undefined;
let budget: DiskBudget;
let gone: string[];
beforeEach(async () => {
  root = path.join(await mkdtemp(path.join(os.tmpdir(), 'pulled-store-')), 'pulled');
  budget = new DiskBudget(10_000);
  gone = [];
});
afterEach(async () => {
  await store?.close();
  store = undefined;
  await rm(path.dirname(root), { recursive: true, force: true });
});

async function open(options: Partial<Parameters<typeof PulledStore.open>[0]> = {}): Promise<PulledStore> {
  store = await PulledStore.open({ root, maxBytes: 5_000, budget, logger: silentLogger, ...options });
  return store;
}

function write(id: string, bytes: number | Buffer = 1_000): boolean | undefined {
  return store?.write(id, typeof bytes === 'number' ? randomBytes(bytes) : bytes, () => gone.push(id));
}

/** So many files are on disk. */
async function files(count: number): Promise<void> {
  await until(
    `${count} files`,
    async () => (await readdir(root)).filter((name) => name.endsWith('.bin')).length === count,
  );
}

describe('PulledStore', () => {
  it('gives back once what was written, whether it is on disk yet or not', async () => {
    const opened = await open();
    const bytes = randomBytes(2_000);
    expect([write('a/../b', bytes), opened.bytes, budget.usedBytes]).toEqual([true, 2_000, 2_000]);
    expect((await opened.take('a/../b'))?.equals(bytes)).toBe(true);
    expect([opened.bytes, budget.usedBytes, gone, await opened.take('a/../b')]).toEqual([0, 0, ['a/../b'], undefined]);
    write('c', bytes);
    await files(1);
    expect((await opened.take('c'))?.equals(bytes)).toBe(true);
    await files(0);
  });

  it('keeps what was written last', async () => {
    const opened = await open();
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) write(id);
    expect([gone, opened.bytes, budget.usedBytes]).toEqual([['a'], 5_000, 5_000]);
    expect(write('f')).toBe(false);
    expect(write('too large', 5_001)).toBe(false);
  });

  it('takes only room that nobody else uses, and gives it up for others', async () => {
    const opened = await open();
    budget.take(7_500);
    expect(['a', 'b', 'c'].map((id) => write(id))).toEqual([true, true, true]);
    expect([gone, budget.usedBytes]).toEqual([['a'], 9_500]);
    expect(budget.makeRoom(1_000)).toBe(true);
    expect([gone, opened.bytes]).toEqual([['a', 'b'], 1_000]);
    budget.take(2_000);
    expect([write('d'), opened.bytes, budget.usedBytes]).toEqual([false, 0, 9_500]);
  });

  it('begins with nothing', async () => {
    await mkdir(root, { recursive: true });
    await writeFile(path.join(root, '1.bin'), 'of an earlier process');
    await open();
    expect(await readdir(root)).toEqual([]);
    write('a');
    await files(1);
  });

  it('goes on without a disk that takes nothing', async () => {
    const opened = await open({ writeFile: () => Promise.reject(new Error('the disk is gone')) });
    expect(write('a')).toBe(true);
    await until('it to be given up', () => gone.length === 1);
    expect([await opened.take('a'), opened.bytes, budget.usedBytes]).toEqual([undefined, 0, 0]);
  });

  it('gives nothing back that is no longer what was written', async () => {
    const opened = await open();
    for (const id of ['cut', 'missing']) write(id);
    await files(2);
    await writeFile(path.join(root, '1.bin'), 'cut');
    await rm(path.join(root, '2.bin'));
    expect([await opened.take('cut'), await opened.take('missing'), budget.usedBytes]).toEqual([
      undefined,
      undefined,
      0,
    ]);
  });

  it('waits for no slow disk, and holds little for it', async () => {
    const mb = 2 ** 20;
    budget = new DiskBudget(1_000 * mb);
    let release!: () => void;
    const slow = new Promise<void>((resolve) => (release = resolve));
    const opened = await open({ maxBytes: 500 * mb, writeFile: () => slow });
    const taken = Array.from({ length: 10 }, (_, index) => write(String(index), Buffer.alloc(8 * mb)));
    expect(taken).toEqual([...new Array<boolean>(4).fill(true), ...new Array<boolean>(6).fill(false)]);
    expect([opened.bytes, budget.usedBytes]).toEqual([32 * mb, 32 * mb]);
    release();
  });

  it('says which folder cannot be used', async () => {
    await writeFile(path.dirname(root) + '/file', '');
    await expect(open({ root: path.join(path.dirname(root), 'file', 'pulled') })).rejects.toMatchObject({
      code: 'BAD_CONFIG',
    });
  });

  it('leaves nothing behind when it is closed', async () => {
    const opened = await open();
    for (const id of ['a', 'b']) write(id);
    await opened.close();
    await opened.close();
    expect([gone, budget.usedBytes]).toEqual([['a', 'b'], 0]);
    await expect(readdir(root)).rejects.toThrow(/ENOENT/);
  });
});
