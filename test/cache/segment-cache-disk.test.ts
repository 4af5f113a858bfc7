import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LiveStore } from '../../src/cache/live-store.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { CacheFixture, fill, makeEntry, MB, profile, sealEntry, segmentBytes } from './cache-fixture.ts';

const at = new CacheFixture();
beforeEach(() => at.begin());
afterEach(() => at.end());

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: the disk says no`), { code });
}

/** A disk that takes what there is room for, as far as the cache's own files go, and writes half of what it refuses. */
function disk() {
  const state = { error: undefined as string | undefined, writes: 0 };
  const write = async (file: string, bytes: Buffer): Promise<void> => {
    state.writes += 1;
    await writeFile(file, state.error === undefined ? bytes : bytes.subarray(0, bytes.length / 2));
    if (state.error !== undefined) throw failure(state.error);
  };
  return Object.assign(state, { write });
}

async function temporaryFiles(): Promise<string[]> {
  const names = await readdir(at.root, { recursive: true });
  return names.filter((name) => name.endsWith('.tmp'));
}

describe('a disk that is full', () => {
  it('gets room by eviction, and the segment is written', async () => {
    const { write } = disk();
    let isFull = false;
    const cache = await at.open(100 * MB, {
      writeFile: async (file, bytes) => {
        if (isFull && cache.report().totals.entries > 1) throw failure('ENOSPC');
        await write(file, bytes);
      },
    });
    const { lease, writer } = await makeEntry(cache, { count: 2, indices: [0] });
    const idle = await sealEntry(cache, { count: 2, of: 'idle' });
    isFull = true;
    await fill(writer, { indices: [1] });
    expect(await readFile(lease.find(1)!.path)).toEqual(segmentBytes(1));
    expect(await cache.acquire(idle.profile, 2)).toBeUndefined();
    expect(at.warnings).toEqual([]);
  });

  it.each(['ENOSPC', 'EROFS', 'EACCES', 'EIO'])(
    'that says %s refuses with a clear error, is told once, and recovers',
    async (code) => {
      const its = disk();
      const cache = await at.open(100 * MB, { writeFile: its.write });
      const { lease, writer, profile: of } = await makeEntry(cache, { count: 3, indices: [0] });
      its.error = code;
      for (const index of [1, 1, 2]) {
        await expect(fill(writer, { indices: [index] })).rejects.toMatchObject({
          code: 'UNAVAILABLE',
          message: expect.stringMatching(/disk (is full|does not take)/) as string,
        });
      }
      await expect(cache.create({ ...of, quality: 'x' }, 1, Buffer.from('x'))).rejects.toMatchObject({
        code: 'UNAVAILABLE',
      });
      expect(lease.present()).toEqual([0]);
      expect(await temporaryFiles()).toEqual([]);
      expect(at.budget.usedBytes).toBe(lease.bytes);
      expect(at.warnings).toHaveLength(1);
      its.error = undefined;
      await fill(writer, { indices: [1, 2] });
      expect(await writer.seal()).toBe(true);
      expect(at.messages.at(-1)).toBe('info encoded files are written to disk again');
    },
  );

  it('evicts nothing if that would not help', async () => {
    const its = disk();
    const cache = await at.open(100 * MB, { writeFile: its.write });
    await sealEntry(cache, { count: 1, of: 'idle' });
    const { writer } = await makeEntry(cache, { count: 2, indices: [] });
    its.error = 'EROFS';
    await expect(fill(writer, { indices: [0] })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(cache.report().totals.entries).toBe(2);
  });

  it('still serves what is complete', async () => {
    const its = disk();
    const cache = await at.open(100 * MB, { writeFile: its.write });
    const { profile: of } = await sealEntry(cache, { count: 2 });
    its.error = 'EROFS';
    const lease = (await cache.acquire(of, 2))!;
    expect(await readFile(lease.find(1)!.path)).toEqual(segmentBytes(1));
  });
});

describe('an index that cannot be appended to', () => {
  it('leaves the segment out, and is whole again once it can', async () => {
    const cache = await at.open();
    const { lease, writer, profile: of } = await makeEntry(cache, { count: 4, indices: [0, 1] });
    const index = path.join(at.folder(lease.key), 'index.jsonl');
    await rm(index);
    await mkdir(index);
    await expect(fill(writer, { indices: [2] })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(lease.present()).toEqual([0, 1]);
    expect(await readdir(at.folder(lease.key))).not.toContain('seg-2.m4s');
    await rm(index, { recursive: true });
    await fill(writer, { indices: [2, 3] });
    expect(await writer.seal()).toBe(true);
    await lease.release();
    await cache.close();
    expect((await (await at.open()).acquire(of, 4))!.isComplete).toBe(true);
  });

  it('does not grow for ever with segments that go and come', async () => {
    const cache = await at.open(20_000);
    const { lease, writer } = await makeEntry(cache, { count: 40, length: 1_000, indices: [] });
    const run = writer.beginRun();
    for (let turn = 0; turn < 1_300; turn += 1) {
      await writer.write({ run, index: turn % 40, bytes: segmentBytes(turn % 40, 1_000), durationTicks: 1 });
      at.clock.advance(10_000);
    }
    const text = await readFile(path.join(at.folder(lease.key), 'index.jsonl'), 'utf8');
    expect(text.split('\n').length).toBeLessThan(1_150);
    await lease.release();
    await cache.close();
    const next = (await (await at.open(20_000)).acquire(profile({ source: 'film' }), 40))!;
    expect(next.present().length).toBeGreaterThan(10);
    for (const index of next.present()) {
      expect(await readFile(next.find(index)!.path)).toEqual(segmentBytes(index, 1_000));
    }
  });
});

const tiny = mountTiny();

/** A folder that can be mounted as a disk of 1 MB, if this process may do such things. */
function mountTiny(): ((folder: string) => () => void) | undefined {
  const mount = (folder: string) => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' });
    return () => void execFileSync('umount', ['-l', folder], { stdio: 'ignore' });
  };
  try {
    mount('/mnt')();
    return mount;
  } catch {
    return undefined;
  }
}

describe.runIf(tiny !== undefined)('a real disk of 1 MB', () => {
  it('that is full lets idle entries go, then refuses; live goes on; nothing wrong is left', async () => {
    await mkdir(at.root);
    const unmount = tiny!(at.root);
    try {
      const cache = await at.open(100 * MB);
      await sealEntry(cache, { count: 4, of: 'idle', length: 100_000 });
      const { lease, writer } = await makeEntry(cache, { count: 30, indices: [], length: 50_000 });
      const store = await LiveStore.open({
        root: path.join(at.root, 'live'),
        maxBytes: 100 * MB,
        maxBroadcastBytes: 100 * MB,
        budget: at.budget,
        logger: silentLogger,
      });
      await expect(fill(writer, { indices: [...Array(30).keys()], length: 50_000 })).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('disk is full') as string,
      });
      expect(cache.report().totals.entries).toBe(1);
      expect(lease.present().length).toBeGreaterThan(12);
      for (const index of lease.present()) {
        expect(await readFile(lease.find(index)!.path)).toEqual(segmentBytes(index, 50_000));
      }
      expect(await temporaryFiles()).toEqual([]);
      at.clock.advance(60_000);
      expect(await store.begin('live/demo').track('video').write('0.m4s', Buffer.alloc(200_000))).toBeDefined();
      await fill(writer, { indices: [29], length: 50_000 });
      expect(lease.has(29)).toBe(true);
      await lease.release();
      await store.close();
      await cache.close();
    } finally {
      unmount();
    }
  });
});
