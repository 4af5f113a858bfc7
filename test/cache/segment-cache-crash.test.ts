import { existsSync } from 'node:fs';
import { appendFile, cp, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SegmentCache } from '../../src/cache/segment-cache.ts';
import { CacheFixture, fill, makeEntry, sealEntry, segmentBytes } from './cache-fixture.ts';

const HOUR_MS = 60 * 60 * 1_000;

const at = new CacheFixture();
beforeEach(() => at.begin());
afterEach(() => at.end());

/** What a killed process would leave: a copy of the folder while everything is still held. */
async function crash(): Promise<void> {
  const copy = `${at.root}.copy`;
  await cp(at.root, copy, { recursive: true, preserveTimestamps: true });
  await rename(at.root, `${at.root}.${crypto.randomUUID()}`);
  await rename(copy, at.root);
}

function inEntry(key: string, name: string): string {
  return path.join(at.folder(key), name);
}

async function presentIn(cache: SegmentCache, of: Parameters<SegmentCache['acquire']>[0], count: number) {
  const lease = await cache.acquire(of, count);
  const present = lease?.present();
  for (const index of present ?? []) expect(await readFile(lease!.find(index)!.path)).toEqual(segmentBytes(index));
  await lease?.release();
  return present;
}

describe('after a crash', () => {
  it('what was encoded is used on, but for the last segment of each run', async () => {
    const { lease, writer, profile } = await makeEntry(await at.open(), { count: 20, indices: [0, 1, 2] });
    await fill(writer, { indices: [10, 11, 12] });
    const ended = await fill(writer, { indices: [5, 6] });
    await writer.endRun(ended);
    await crash();
    const cache = await at.open();
    expect(await presentIn(cache, profile, 20)).toEqual([0, 1, 5, 6, 10, 11]);
    expect(cache.report().totals).toMatchObject({ partialHits: 1, hits: 0, misses: 0 });
    expect((await readdir(at.folder(lease.key))).filter((name) => name.startsWith('seg-'))).toHaveLength(6);
    expect(at.budget.usedBytes).toBe(6 * 64 + 12);
  });

  it('only what is missing is encoded, and the entry can be sealed then', async () => {
    const { profile } = await makeEntry(await at.open(), { count: 6, indices: [0, 1, 2, 3] });
    await crash();
    const cache = await at.open();
    const lease = (await cache.acquire(profile, 6))!;
    const writer = lease.writer()!;
    expect(await writer.seal()).toBe(false);
    await fill(writer, { indices: [3, 4, 5] });
    expect(await writer.seal()).toBe(true);
    await crash();
    expect(await presentIn(await at.open(), profile, 6)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('a second crash costs no more than the first', async () => {
    const { profile } = await makeEntry(await at.open(), { count: 9, indices: [0, 1, 2, 3] });
    for (let crashes = 0; crashes < 3; crashes += 1) {
      await crash();
      expect(await presentIn(await at.open(), profile, 9)).toEqual([0, 1, 2]);
    }
  });

  it('nothing is lost that was released in time', async () => {
    const { lease, profile } = await makeEntry(await at.open(), { count: 9, indices: [0, 1, 7] });
    await lease.release();
    await crash();
    expect(await presentIn(await at.open(), profile, 9)).toEqual([0, 1, 7]);
  });

  it('a segment whose bytes are other than they were does not count, even if it has its length', async () => {
    const { lease, profile } = await makeEntry(await at.open(), { count: 9, indices: [0, 1, 2, 3, 4] });
    await lease.release();
    await writeFile(inEntry(lease.key, 'seg-1.m4s'), Buffer.alloc(64));
    await truncate(inEntry(lease.key, 'seg-2.m4s'), 63);
    await rm(inEntry(lease.key, 'seg-3.m4s'));
    await crash();
    const cache = await at.open();
    expect(await presentIn(cache, profile, 9)).toEqual([0, 4]);
    expect(at.budget.usedBytes).toBe(2 * 64 + 12);
    await cache.close();
    expect((await readdir(at.folder(lease.key))).filter((name) => name.startsWith('seg-'))).toHaveLength(2);
  });

  it('a segment that is not in the index, or was being written, is deleted', async () => {
    const { lease, profile } = await makeEntry(await at.open(), { count: 9, indices: [0, 1] });
    await lease.release();
    await writeFile(inEntry(lease.key, 'seg-2.m4s'), segmentBytes(2));
    await writeFile(inEntry(lease.key, 'seg-3.m4s.tmp'), segmentBytes(3));
    await mkdir(inEntry(lease.key, 'seg-4.m4s'));
    await crash();
    const cache = await at.open();
    expect(await presentIn(cache, profile, 9)).toEqual([0, 1]);
    const names = await readdir(at.folder(lease.key));
    expect(names.sort()).toEqual(['entry.json', 'index.jsonl', 'init.mp4', 'seg-0.m4s', 'seg-1.m4s']);
  });

  it('the index counts up to its first torn line', async () => {
    const { lease, profile } = await makeEntry(await at.open(), { count: 9, indices: [0, 1, 2, 3] });
    await lease.release();
    const file = inEntry(lease.key, 'index.jsonl');
    const lines = (await readFile(file, 'utf8')).split('\n');
    lines[2] = lines[2]!.slice(0, 20);
    await writeFile(file, lines.join('\n'));
    await crash();
    // 1 is the last of a run whose end cannot be read.
    expect(await presentIn(await at.open(), profile, 9)).toEqual([0]);
  });

  it('a line of the index that was altered ends it, too', async () => {
    const { lease, profile } = await makeEntry(await at.open(), { count: 9, indices: [0, 1, 2, 3] });
    await lease.release();
    const file = inEntry(lease.key, 'index.jsonl');
    const lines = (await readFile(file, 'utf8')).split('\n');
    lines[3] = lines[3]!.replace('360000', '360001');
    await writeFile(file, lines.join('\n'));
    await crash();
    expect(await presentIn(await at.open(), profile, 9)).toEqual([0, 1]);
  });

  it('what is appended to a torn index can be read the next time', async () => {
    const { lease, profile } = await makeEntry(await at.open(), { count: 9, indices: [0, 1] });
    await lease.release();
    await appendFile(inEntry(lease.key, 'index.jsonl'), '{"index":2,"by');
    const cache = await at.open();
    const next = (await cache.acquire(profile, 9))!;
    await fill(next.writer()!, { indices: [2, 3] });
    await next.release();
    await cache.close();
    expect(await presentIn(await at.open(), profile, 9)).toEqual([0, 1, 2, 3]);
  });

  it('a mark without all segments is no mark', async () => {
    const { lease, profile } = await makeEntry(await at.open(), { count: 9, indices: [0, 1] });
    await lease.release();
    await writeFile(inEntry(lease.key, '.complete'), '{}');
    await crash();
    const cache = await at.open();
    expect(existsSync(inEntry(lease.key, '.complete'))).toBe(false);
    expect((await cache.acquire(profile, 9))!.isComplete).toBe(false);
  });

  it.each(['init.mp4', 'entry.json'])('an entry without %s is of no use', async (name) => {
    const { lease, profile } = await makeEntry(await at.open(), { count: 9, indices: [0, 1] });
    await lease.release();
    await rm(inEntry(lease.key, name));
    await crash();
    const cache = await at.open();
    expect(await presentIn(cache, profile, 9)).toBeUndefined();
    expect(await readdir(at.root)).toEqual([]);
    expect(at.budget.usedBytes).toBe(0);
  });

  it('an entry that was being made or deleted goes', async () => {
    const { lease } = await makeEntry(await at.open(), { count: 9, indices: [0, 1] });
    await lease.release();
    await rename(at.folder(lease.key), path.join(at.root, `.${lease.key}-0123`));
    await mkdir(path.join(at.root, '0123456789abcdef'));
    await crash();
    await at.open();
    expect(await readdir(at.root)).toEqual([]);
  });

  it('an entry in the folder of another one is not trusted', async () => {
    const { lease } = await makeEntry(await at.open(), { count: 9, indices: [0, 1] });
    await lease.release();
    await rename(at.folder(lease.key), at.folder('0123456789abcdef'));
    await crash();
    await at.open();
    expect(await readdir(at.root)).toEqual([]);
  });

  it('what is partial stays for a day after its last use, what is complete for as long as there is room', async () => {
    const cache = await at.open();
    const { lease, profile } = await makeEntry(cache, { count: 9, indices: [0, 1] });
    const sealed = await sealEntry(cache, { count: 2, of: 'other' });
    await lease.release();
    await cache.close();
    at.clock.advance(23 * HOUR_MS);
    const next = await at.open();
    expect(await presentIn(next, profile, 9)).toEqual([0, 1]);
    await next.close();
    at.clock.advance(23 * HOUR_MS);
    await (await at.open()).close();
    expect((await readdir(at.root)).sort()).toEqual([lease.key, sealed.key].sort());
    at.clock.advance(2 * HOUR_MS);
    await (await at.open()).close();
    expect(await readdir(at.root)).toEqual([sealed.key]);
  });
});

describe('a title that became shorter', () => {
  it('keeps the segments that it still has; those above the end go', async () => {
    const cache = await at.open();
    const { key, profile } = await sealEntry(cache, { count: 4 });
    const lease = (await cache.acquire(profile, 3))!;
    expect(lease).toMatchObject({ segmentCount: 3, isComplete: false });
    expect(lease.present()).toEqual([0, 1, 2]);
    expect(existsSync(inEntry(key, 'seg-3.m4s'))).toBe(false);
    expect(await lease.writer()!.seal()).toBe(true);
    await lease.release();
    await cache.close();
    expect((await (await at.open()).acquire(profile, 3))!.isComplete).toBe(true);
  });

  it('that became longer is no longer complete', async () => {
    const cache = await at.open();
    const { key, profile } = await sealEntry(cache, { count: 2 });
    const lease = (await cache.acquire(profile, 3))!;
    expect(lease.isComplete).toBe(false);
    expect(existsSync(inEntry(key, '.complete'))).toBe(false);
    expect(await lease.writer()!.seal()).toBe(false);
  });

  it('drops segments above the end after a crash as well', async () => {
    const { lease, profile } = await makeEntry(await at.open(), { count: 9, indices: [0, 1, 7, 8] });
    await lease.release();
    await crash();
    expect(await presentIn(await at.open(), profile, 8)).toEqual([0, 1, 7]);
    expect(existsSync(inEntry(lease.key, 'seg-8.m4s'))).toBe(false);
  });
});

describe('a damaged entry', () => {
  const damages: [string, (key: string) => Promise<unknown>][] = [
    ['whose init is missing', (key) => rm(inEntry(key, 'init.mp4'))],
    ['whose init was altered', (key) => writeFile(inEntry(key, 'init.mp4'), 'init of filn')],
    ['one of whose segments is missing', (key) => rm(inEntry(key, 'seg-1.m4s'))],
    ['one of whose segments was cut', (key) => truncate(inEntry(key, 'seg-2.m4s'), 0)],
    ['one of whose segments became longer', (key) => appendFile(inEntry(key, 'seg-0.m4s'), 'x')],
    [
      'one of whose segments is a folder',
      (key) => rm(inEntry(key, 'seg-0.m4s')).then(() => mkdir(inEntry(key, 'seg-0.m4s'))),
    ],
    ['that is gone altogether', (key) => rm(at.folder(key), { recursive: true })],
  ];

  it.each(damages)('%s is invalidated when it is asked for, and can be encoded anew', async (_, damage) => {
    const cache = await at.open();
    const { key, profile } = await sealEntry(cache, { count: 3 });
    await damage(key);
    expect(await cache.acquire(profile, 3)).toBeUndefined();
    expect(cache.report().totals).toMatchObject({ hits: 0, misses: 1, invalidations: 1, entries: 0 });
    expect(at.warnings).toHaveLength(1);
    await cache.close();
    expect(await readdir(at.root)).toEqual([]);
    const next = await at.open();
    await sealEntry(next, { count: 3 });
    expect(await presentIn(next, profile, 3)).toEqual([0, 1, 2]);
  });

  it.each(damages.slice(0, -1))('%s is found out in the next process as well', async (_, damage) => {
    const cache = await at.open();
    const { key, profile } = await sealEntry(cache, { count: 3 });
    await cache.close();
    await damage(key);
    const next = await at.open();
    expect(await next.acquire(profile, 3)).toBeUndefined();
    await next.close();
    expect(existsSync(at.folder(key))).toBe(false);
    expect(at.budget.usedBytes).toBe(0);
  });

  it('that is partial only loses what is damaged', async () => {
    const cache = await at.open();
    const { lease, profile } = await makeEntry(cache, { count: 9, indices: [0, 1, 2] });
    await lease.release();
    await truncate(inEntry(lease.key, 'seg-1.m4s'), 3);
    expect(await presentIn(cache, profile, 9)).toEqual([0, 2]);
  });

  it('whose folder is deleted while it is written to is gone for its writer', async () => {
    const cache = await at.open();
    const { lease, writer, profile } = await makeEntry(cache, { count: 3, indices: [0] });
    await rm(at.root, { recursive: true });
    await expect(fill(writer, { indices: [1] })).rejects.toMatchObject({ code: 'GONE' });
    expect(lease.isGone).toBe(true);
    const again = await cache.create(profile, 3, Buffer.from('init of film'));
    await fill(again.writer()!, { indices: [0, 1, 2] });
    expect(again.present()).toEqual([0, 1, 2]);
  });
});
