import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CounterTable } from '../../src/cache/counter-table.ts';
import { CacheFixture, makeEntry, sealEntry } from './cache-fixture.ts';

const HOUR_MS = 60 * 60 * 1_000;

const at = new CacheFixture();
beforeEach(() => at.begin());
afterEach(() => at.end());

describe('the report of a cache', () => {
  it('tells of each entry what it is and how it is used, the last used first', async () => {
    const cache = await at.open();
    const { key, profile } = await sealEntry(cache, { count: 2, of: 'film' });
    at.clock.advance(HOUR_MS);
    const { lease } = await makeEntry(cache, {
      count: 5,
      of: 'other',
      indices: [0],
      audioIndex: 1,
      quality: 'audio-1',
    });
    expect(await cache.acquire({ ...profile, quality: 'unknown' }, 2)).toBeUndefined();
    at.clock.advance(HOUR_MS);
    const hit = (await cache.acquire(profile, 2))!;
    hit.init();
    hit.find(0);
    hit.find(1);
    hit.find(7);
    const start = at.clock.nowMs() - 2 * HOUR_MS;
    expect(cache.report()).toEqual({
      budget: { maxBytes: at.budget.maxBytes, usedBytes: 12 + 128 + 13 + 64, liveBytes: 0 },
      totals: {
        ...{ hits: 1, partialHits: 0, misses: 1, evictions: 0, invalidations: 0 },
        ...{ bytesRead: 12 + 128, bytesWritten: 3 * 64 },
        ...{ entries: 2, completeEntries: 1, pinnedEntries: 2, bytes: 12 + 128 + 13 + 64 },
      },
      entries: [
        {
          ...{ key, format: 'media', sourceLabel: 'media/film.mkv', quality: '480p', audioIndex: -1 },
          ...{ segments: 2, segmentCount: 2, isComplete: true, bytes: 12 + 128, isPinned: true },
          ...{ hits: 1, partialHits: 0, misses: 1, evictions: 0, invalidations: 0 },
          ...{ bytesRead: 12 + 128, bytesWritten: 128 },
          ...{ createdAtMs: start, lastUsedAtMs: start + 2 * HOUR_MS },
        },
        {
          ...{ key: lease.key, format: 'media', sourceLabel: 'media/film.mkv', quality: 'audio-1', audioIndex: 1 },
          ...{ segments: 1, segmentCount: 5, isComplete: false, bytes: 13 + 64, isPinned: true },
          ...{ hits: 0, partialHits: 0, misses: 1, evictions: 0, invalidations: 0, bytesRead: 0, bytesWritten: 64 },
          ...{ createdAtMs: start + HOUR_MS, lastUsedAtMs: start + HOUR_MS },
        },
      ],
    });
  });

  it('is logged each day', async () => {
    const logged: object[] = [];
    const logger = { ...at.logger, info: (fields: object) => void logged.push(fields) };
    const cache = await at.open(undefined, { logger });
    await sealEntry(cache, { count: 2 });
    logged.length = 0;
    at.clock.advance(24 * HOUR_MS);
    expect(logged).toEqual([expect.objectContaining({ hits: 0, entries: 1, bytesWritten: 128, usedBytes: 140 })]);
    at.clock.advance(24 * HOUR_MS);
    expect(logged).toHaveLength(2);
    await cache.close();
    at.clock.advance(24 * HOUR_MS);
    expect(logged).toHaveLength(2);
  });
});

describe('counters', () => {
  it('are remembered for 10,000 keys, also of entries that have gone', () => {
    const counters = new CounterTable();
    for (let key = 0; key < 10_000; key += 1) counters.count(`${key}`, 'misses');
    counters.count('0', 'hits', 2);
    counters.count('new', 'misses');
    expect(counters.of('0')).toMatchObject({ hits: 2, misses: 1 });
    expect(counters.of('1')).toMatchObject({ misses: 0 });
    expect(counters.of('2')).toMatchObject({ misses: 1 });
    expect(counters.total).toMatchObject({ hits: 2, misses: 10_001 });
  });
});
