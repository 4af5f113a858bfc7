import { afterEach, describe, expect, it } from 'vitest';
import type { CacheEntryReport, CacheReport } from '../../src/cache/cache-report.ts';
import { AppError } from '../../src/util/errors.ts';
import { ADMIN, HttpFixture } from '../support/http-fixture.ts';

let fixture: HttpFixture;
afterEach(() => fixture.close());

async function call(method: 'GET' | 'DELETE', route: string) {
  return fixture.app.inject({ method, url: `/api/v1/${route}`, headers: ADMIN });
}

describe('folders of media', () => {
  it('are listed from the roots on', async () => {
    const asked: string[] = [];
    const listing = {
      path: 'films',
      entries: [{ name: 'a & b.mp4', kind: 'file' as const, sizeBytes: 7 }],
      isCut: false,
    };
    const browse = (folder: string) => {
      asked.push(folder);
      if (folder === 'nothing') return Promise.reject(new AppError('NOT_FOUND', 'there is no folder "nothing"'));
      return Promise.resolve(listing);
    };
    fixture = await HttpFixture.create({ media: { browse } });
    expect((await call('GET', 'media')).json()).toEqual(listing);
    expect((await call('GET', 'media?path=films%2Fold%20ones')).json()).toEqual(listing);
    expect((await call('GET', 'media?path=nothing')).json()).toMatchObject({ statusCode: 404 });
    expect(asked).toEqual(['', 'films/old ones', 'nothing']);
    for (const query of ['path=a&path=b', 'folder=x', `path=${'x'.repeat(5_000)}`]) {
      expect((await call('GET', `media?${query}`)).statusCode).toBe(400);
    }
    expect((await fixture.app.inject({ url: '/api/v1/media' })).statusCode).toBe(401);
  });
});

describe('the cache of encoded segments', () => {
  const counters = {
    hits: 1,
    partialHits: 0,
    misses: 2,
    evictions: 0,
    invalidations: 0,
    bytesRead: 5,
    bytesWritten: 6,
  };
  const entry: CacheEntryReport = {
    ...{ ...counters, key: '0123456789abcdef', format: 'media', sourceLabel: 'films/a.mp4', quality: '720p' },
    ...{ audioIndex: -1, segments: 3, segmentCount: 4, isComplete: false, bytes: 6, isPinned: true },
    ...{ lastUsedAtMs: 1_700_000_000_000, createdAtMs: 1_600_000_000_000 },
  };
  const report: CacheReport = {
    budget: { maxBytes: 1_000, usedBytes: 10, liveBytes: 4 },
    totals: { ...counters, entries: 1, completeEntries: 0, pinnedEntries: 1, bytes: 6 },
    entries: [entry],
  };

  it('is shown with dates', async () => {
    fixture = await HttpFixture.create({
      segmentCache: { report: () => report, delete: () => Promise.resolve('unknown') },
    });
    const shown = (await call('GET', 'cache')).json<{ entries: object[] }>();
    const dates = { lastUsedAt: '2023-11-14T22:13:20.000Z', createdAt: '2020-09-13T12:26:40.000Z' };
    expect(shown).toMatchObject({
      budget: report.budget,
      totals: report.totals,
      entries: [{ key: entry.key, ...dates }],
    });
    expect(Object.keys(shown.entries[0]!)).toHaveLength(Object.keys(entry).length);
    expect(shown.entries[0]).not.toHaveProperty('lastUsedAtMs');
    expect((await fixture.app.inject({ url: '/api/v1/cache' })).statusCode).toBe(401);
  });

  it.each([
    ['deleted', 204, ''],
    ['in-use', 409, 'entry \\"x\\" is in use; stop the sessions that play it first'],
    ['unknown', 404, 'there is no entry \\"x\\"; GET /api/v1/cache lists them'],
  ] as const)('answers the deletion of an entry that is %s with %d', async (outcome, status, message) => {
    fixture = await HttpFixture.create({
      segmentCache: { report: () => report, delete: () => Promise.resolve(outcome) },
    });
    const answer = await call('DELETE', 'cache/x');
    expect(answer.statusCode).toBe(status);
    expect(answer.body).toContain(message);
    expect((await fixture.app.inject({ method: 'DELETE', url: '/api/v1/cache/x' })).statusCode).toBe(401);
  });
});
