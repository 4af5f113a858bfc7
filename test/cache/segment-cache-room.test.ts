import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CacheLease } from '../../src/cache/cache-lease.ts';
import type { SegmentCache } from '../../src/cache/segment-cache.ts';
import { LiveStore } from '../../src/cache/live-store.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { CacheFixture, fill, makeEntry, sealEntry, segmentBytes } from './cache-fixture.ts';

const MINUTE_MS = 60_000;
const KB = 1024;

const at = new CacheFixture();
beforeEach(() => at.begin());
afterEach(() => at.end());

/** Keys of entries, the longest unused first. */
function keysIn(cache: SegmentCache): string[] {
  return cache
    .report()
    .entries.map(({ key }) => key)
    .reverse();
}

/** Bytes of segments that are really on disk. */
async function segmentBytesOnDisk(): Promise<number> {
  const files = await readdir(at.root, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = files
    .filter((file) => file.isFile() && /^(seg-.*|init.*)$/.test(file.name))
    .map((file) => stat(path.join(file.parentPath, file.name)).then(({ size }) => size));
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Complete entries of 10 kB each, a minute apart. */
async function sealMany(
  cache: SegmentCache,
  names: readonly string[],
): Promise<Awaited<ReturnType<typeof sealEntry>>[]> {
  const sealed = [];
  for (const of of names) {
    sealed.push(await sealEntry(cache, { count: 10, of, length: KB }));
    at.clock.advance(MINUTE_MS);
  }
  return sealed;
}

describe('a cache that is full', () => {
  it('lets the least recently used entries go', async () => {
    const cache = await at.open(35 * KB);
    const [a, b, c] = await sealMany(cache, ['a', 'b', 'c']);
    const used = (await cache.acquire(a!.profile, 10))!;
    used.find(3);
    await used.release();
    at.clock.advance(MINUTE_MS);
    const [d] = await sealMany(cache, ['d']);
    expect(keysIn(cache)).toEqual([c!.key, a!.key, d!.key]);
    expect(await cache.acquire(b!.profile, 10)).toBeUndefined();
    expect(at.budget.usedBytes).toBeLessThanOrEqual(35 * KB);
    expect((await readdir(at.root)).sort()).toEqual([a!.key, c!.key, d!.key].sort());
    expect(cache.report().totals.evictions).toBe(1);
    expect(at.warnings).toEqual([]);
  });

  it('remembers when entries were used over a restart', async () => {
    const cache = await at.open(35 * KB);
    const [a, b, c] = await sealMany(cache, ['a', 'b', 'c']);
    await (await cache.acquire(a!.profile, 10))!.release();
    await cache.close();
    at.clock.advance(MINUTE_MS);
    const next = await at.open(35 * KB);
    await sealMany(next, ['d']);
    expect(keysIn(next).slice(0, 2)).toEqual([c!.key, a!.key]);
    expect(await next.acquire(b!.profile, 10)).toBeUndefined();
  });

  it('remembers it to the minute, even if the process is killed', async () => {
    const cache = await at.open(35 * KB);
    const [a, b] = await sealMany(cache, ['a', 'b', 'c']);
    const lease = (await cache.acquire(a!.profile, 10))!;
    lease.find(0);
    // Without an end: the entry is still leased, nothing was closed.
    await cache.delete('');
    const next = await at.open(35 * KB);
    expect(keysIn(next)[0]).toBe(b!.key);
  });

  it('lets go what is too much when it is opened with a lower limit, and when the hour comes', async () => {
    const cache = await at.open(100 * KB);
    const [, , c] = await sealMany(cache, ['a', 'b', 'c']);
    await cache.close();
    const next = await at.open(15 * KB);
    expect(keysIn(next)).toEqual([c!.key]);
    at.budget.take(10 * KB);
    expect(keysIn(next)).toEqual([c!.key]);
    at.clock.advance(60 * MINUTE_MS);
    expect(keysIn(next)).toEqual([]);
    at.budget.giveBack(10 * KB);
  });

  it('spares what is leased, and says loudly that it is too much', async () => {
    const cache = await at.open(25 * KB);
    const a = await makeEntry(cache, { count: 10, of: 'a', length: KB });
    const b = await makeEntry(cache, { count: 10, of: 'b', length: KB });
    const c = await makeEntry(cache, { count: 10, of: 'c', length: KB, indices: [0, 1, 2] });
    await expect(fill(c.writer, { indices: [3, 4, 5], length: KB })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('cache is full') as string,
    });
    expect([a, b].map(({ lease }) => lease.present().length)).toEqual([10, 10]);
    expect(at.warnings).toHaveLength(1);
    await expect(fill(c.writer, { indices: [5], length: 2 * KB })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(at.warnings).toHaveLength(1);
    at.clock.advance(10 * MINUTE_MS);
    await expect(fill(c.writer, { indices: [5], length: 50 * KB })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(at.warnings).toHaveLength(2);
    expect(at.budget.usedBytes).toBeLessThanOrEqual(25 * KB);
  });

  it('lets segments of leased entries go that nobody used for a minute; the entry is no longer complete', async () => {
    const cache = await at.open(25 * KB);
    const a = await makeEntry(cache, { count: 10, of: 'a', length: KB });
    expect(await a.writer.seal()).toBe(true);
    const b = await makeEntry(cache, { count: 10, of: 'b', length: KB });
    at.clock.advance(MINUTE_MS - 1);
    for (const index of [0, 1, 2]) a.lease.find(index);
    at.clock.advance(1);
    const c = await makeEntry(cache, { count: 10, of: 'c', length: KB, indices: [0, 1, 2, 3, 4, 5, 6, 7] });
    expect(c.lease.present()).toHaveLength(8);
    expect(a.lease.isComplete).toBe(false);
    expect(a.lease.present()).toEqual(expect.arrayContaining([0, 1, 2]));
    expect(a.lease.present().length + b.lease.present().length).toBe(16);
    expect(await segmentBytesOnDisk()).toBe(at.budget.usedBytes);
    expect(await readdir(at.folder(a.lease.key))).not.toContain('.complete');
    expect(at.warnings).toHaveLength(1);
  });

  it('still plays a film that is larger than the budget', async () => {
    const cache = await at.open(20 * KB);
    const { lease, writer } = await makeEntry(cache, { count: 100, of: 'film', length: KB, indices: [] });
    const run = writer.beginRun();
    for (let index = 0; index < 100; index += 1) {
      await writer.write({ run, index, bytes: segmentBytes(index, KB), durationTicks: 1 });
      expect(await readFile(lease.find(index)!.path)).toEqual(segmentBytes(index, KB));
      expect(await segmentBytesOnDisk()).toBeLessThanOrEqual(20 * KB);
      at.clock.advance(4_000);
    }
    expect(lease.present().at(-1)).toBe(99);
    expect(lease.present().length).toBeGreaterThan(14);
    expect(await writer.seal()).toBe(false);
    // What had to go can be encoded again.
    await fill(writer, { indices: [0], length: KB });
    expect(await readFile(lease.find(0)!.path)).toEqual(segmentBytes(0, KB));
  });

  it('holds its limit on disk while many write at once', async () => {
    const cache = await at.open(30 * KB);
    const entries = await Promise.all(
      ['a', 'b', 'c', 'd'].map((of) => makeEntry(cache, { count: 50, of, length: KB, indices: [] })),
    );
    const refused = new Set<unknown>();
    const play = async ({ lease, writer }: { lease: CacheLease } & (typeof entries)[number]): Promise<void> => {
      const run = writer.beginRun();
      for (let index = 0; index < 50; index += 1) {
        const segment = { run, index, bytes: segmentBytes(index, KB), durationTicks: 1 };
        await writer.write(segment).catch((error: unknown) => refused.add((error as { code: string }).code));
        const found = lease.find(index);
        if (found !== undefined) expect(await readFile(found.path)).toEqual(segmentBytes(index, KB));
        at.clock.advance(5_000);
        expect(at.budget.usedBytes).toBeLessThanOrEqual(30 * KB);
      }
    };
    await Promise.all(entries.map(play));
    expect([...refused].filter((code) => code !== 'UNAVAILABLE')).toEqual([]);
    await Promise.all(entries.map(({ lease }) => lease.release()));
    expect(await segmentBytesOnDisk()).toBe(at.budget.usedBytes);
  });

  it('refuses an entry whose init does not fit', async () => {
    const cache = await at.open(10 * KB);
    const { profile } = await makeEntry(cache, { count: 9, length: KB });
    const created = cache.create({ ...profile, quality: '720p' }, 9, Buffer.alloc(2 * KB));
    await expect(created).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect((await readdir(at.root)).length).toBe(1);
  });
});

describe('live segments beside encoded files', () => {
  async function openLive(options: Partial<Parameters<typeof LiveStore.open>[0]> = {}): Promise<LiveStore> {
    const root = path.join(path.dirname(at.root), 'live');
    const limits = { maxBytes: 1000 * KB, maxBroadcastBytes: 1000 * KB };
    return LiveStore.open({ root, budget: at.budget, logger: silentLogger, ...limits, ...options });
  }

  it('share one limit: entries that nobody uses go for them', async () => {
    const cache = await at.open(32 * KB);
    await sealMany(cache, ['a', 'b']);
    const store = await openLive();
    const track = store.begin('live/demo').track('video');
    for (let msn = 0; msn < 15; msn += 1) {
      expect(await track.write(`${msn}.m4s`, Buffer.alloc(KB))).toBeDefined();
      expect(at.budget.usedBytes).toBeLessThanOrEqual(32 * KB);
    }
    expect(cache.report().totals.entries).toBe(1);
    expect(store.stats).toMatchObject({ bytes: 15 * KB, evicted: 0 });
    expect(cache.report().budget).toMatchObject({ maxBytes: 32 * KB, liveBytes: 15 * KB });
    await store.close();
    expect(cache.report().budget.liveBytes).toBe(0);
  });

  it('have precedence over segments of leased entries that nobody used for a minute', async () => {
    const cache = await at.open(32 * KB);
    const { lease } = await makeEntry(cache, { count: 30, length: KB });
    at.clock.advance(MINUTE_MS);
    const store = await openLive();
    const track = store.begin('live/demo').track('video');
    for (let msn = 0; msn < 20; msn += 1) await track.write(`${msn}.m4s`, Buffer.alloc(KB));
    expect(store.stats).toMatchObject({ bytes: 20 * KB, evicted: 0 });
    expect(lease.present()).toHaveLength(11);
    await store.close();
  });

  it('go themselves, the oldest first, when everything else is in use; they are never refused', async () => {
    const cache = await at.open(32 * KB);
    const { lease } = await makeEntry(cache, { count: 20, length: KB });
    const store = await openLive();
    const track = store.begin('live/demo').track('video');
    for (let msn = 0; msn < 20; msn += 1) {
      expect(await track.write(`${msn}.m4s`, Buffer.alloc(KB))).toBeDefined();
      expect(at.budget.usedBytes).toBeLessThanOrEqual(32 * KB);
    }
    expect(lease.present()).toHaveLength(20);
    expect(track.find('8.m4s')).toBeUndefined();
    expect(track.find('9.m4s')).toBeDefined();
    expect(store.stats.evicted).toBe(9);
    await store.close();
  });

  it('leave an eighth for others', async () => {
    const cache = await at.open(32 * KB);
    const store = await openLive();
    const track = store.begin('live/demo').track('video');
    for (let msn = 0; msn < 40; msn += 1) await track.write(`${msn}.m4s`, Buffer.alloc(KB));
    expect(store.stats.bytes).toBe(28 * KB);
    const { lease } = await makeEntry(cache, { count: 3, length: KB });
    expect(lease.present()).toEqual([0, 1, 2]);
    await store.close();
  });

  it('are written to a disk that is full after entries have gone for them', async () => {
    const cache = await at.open();
    await sealMany(cache, ['a']);
    const full = (): boolean => cache.report().totals.entries > 0;
    const store = await openLive({
      writeFile: () =>
        full() ? Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' })) : Promise.resolve(),
    });
    // Nothing is really written, so the file cannot be put in its place either.
    await store.begin('live/demo').track('video').write('0.m4s', Buffer.alloc(KB));
    expect(cache.report().totals).toMatchObject({ entries: 0, evictions: 1 });
    await store.close();
  });
});
