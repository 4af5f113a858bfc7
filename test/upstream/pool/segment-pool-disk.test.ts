import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DiskBudget } from '../../../src/cache/disk-budget.ts';
import { PulledStore } from '../../../src/cache/pulled-store.ts';
import type { MediaItem } from '../../../src/upstream/pool/media-item.ts';
import type { PooledMedia } from '../../../src/upstream/pool/pooled-media.ts';
import { silentLogger } from '../../../src/util/logger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { PoolRig } from './pool-rig.ts';

let folder: string;
let disk: PulledStore;
let rig: PoolRig;
let clock: ManualClock;
let brokenDisk = false;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'segment-pool-'));
  brokenDisk = false;
  disk = await PulledStore.open({
    ...{
      root: path.join(folder, 'pulled'),
      maxBytes: 1_000_000,
      budget: new DiskBudget(2 ** 30),
      logger: silentLogger,
    },
  });
  clock = new ManualClock();
  rig = await PoolRig.start({ clock, pool: { maxBytes: 700_000, ttlMs: 60_000, disk } });
});
afterEach(async () => {
  await rig.close();
  await disk.close();
  await rm(folder, { recursive: true, force: true });
});

function open(id: string, options: Partial<MediaItem> = {}, priority: 'asked' | 'prefetch' = 'asked'): PooledMedia {
  return rig.pool.open({ ...rig.item(id), ...options }, rig.fetcher, { priority });
}

async function load(id: string, options?: Partial<MediaItem>, priority?: 'asked' | 'prefetch'): Promise<void> {
  const media = open(id, options, priority);
  expect((await media.whole()).equals(rig.bytes)).toBe(true);
  media.release();
}

describe('SegmentPool with a disk', () => {
  it('finds there what it has no memory for', async () => {
    for (const id of ['a', 'b', 'c', 'd']) await load(id);
    expect(rig.pool.stats).toMatchObject({ entries: 2, bytes: 600_000, diskBytes: 600_000, evictions: 2 });
    const again = open('a');
    expect([again.origin, (await again.whole()).equals(rig.bytes), again.size]).toEqual([
      'disk',
      true,
      rig.bytes.length,
    ]);
    again.release();
    expect(rig.paths).toEqual(['/a', '/b', '/c', '/d']);
    expect(rig.pool.stats).toMatchObject({ hits: 1, misses: 4, fetchedBytes: 1_200_000, diskBytes: 600_000 });
  });

  it('reads nothing back that there is no memory for', async () => {
    for (const id of ['a', 'b', 'c']) await load(id);
    const held = [open('b'), open('c')];
    await Promise.all(held.map((media) => media.whole()));
    const again = open('a');
    await expect(again.whole()).rejects.toThrow(/raise pull.memoryMb/);
    expect([again.origin, rig.pool.stats.bytes, rig.paths.length]).toEqual(['disk', 600_000, 3]);
  });

  it('fetches anew what the disk has lost', async () => {
    for (const id of ['a', 'b', 'c']) await load(id);
    disk.delete('a');
    expect([rig.pool.has('a'), rig.pool.has('b')]).toEqual([false, true]);
    await load('a');
    expect(rig.paths).toEqual(['/a', '/b', '/c', '/a']);
  });

  it('fetches anew what turns out not to be on the disk', async () => {
    for (const id of ['a', 'b', 'c']) await load(id);
    brokenDisk = true;
    const take = disk.take.bind(disk);
    disk.take = async (id) => (brokenDisk ? (await take(id), undefined) : take(id));
    await load('a');
    expect(rig.paths).toEqual(['/a', '/b', '/c', '/a']);
  });

  it('puts no keys there', async () => {
    rig.server.replace(Buffer.alloc(16), '"key"');
    const key = open('key', { kind: 'key' });
    await key.whole();
    key.release();
    rig.server.replace(rig.bytes, '"v1"');
    for (const id of ['a', 'b', 'c']) await load(id);
    expect(rig.pool.has('key')).toBe(false);
    expect(rig.pool.stats.diskBytes).toBe(300_000);
  });

  it('forgets there, too, what nobody used for a while, and tells what was never asked for', async () => {
    await load('a', {}, 'prefetch');
    for (const id of ['b', 'c', 'd']) await load(id);
    expect(rig.pool.stats).toMatchObject({ diskBytes: 600_000, wastedBytes: 0 });
    clock.advance(65_000);
    expect(rig.pool.stats).toMatchObject({ entries: 0, bytes: 0, diskBytes: 0, wastedBytes: 300_000 });
    expect(rig.pool.has('a')).toBe(false);
  });

  it('gives back its disk when it is closed', async () => {
    for (const id of ['a', 'b', 'c']) await load(id);
    await rig.pool.close();
    expect(disk.bytes).toBe(0);
  });
});
