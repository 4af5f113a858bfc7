import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EncodeProfile, entryKey, sha256 } from '../../src/cache/encode-profile.ts';
import { deferred } from '../../src/util/deferred.ts';
import { CacheFixture, fill, makeEntry, profile, sealEntry, segmentBytes } from './cache-fixture.ts';

const at = new CacheFixture();
beforeEach(() => at.begin());
afterEach(() => at.end());

describe('an entry', () => {
  it('has its files in a folder that is named by its profile and its init', async () => {
    const cache = await at.open();
    const { key } = await sealEntry(cache, { count: 2 });
    expect(key).toMatch(/^[0-9a-f]{16}$/);
    expect(key).toBe(entryKey(profile({ source: 'film' }), sha256(Buffer.from('init of film'))));
    expect((await readdir(at.root)).sort()).toEqual([key]);
    const names = await readdir(at.folder(key));
    expect(names.sort()).toEqual(['.complete', 'entry.json', 'index.jsonl', 'init.mp4', 'seg-0.m4s', 'seg-1.m4s']);
    expect(await readFile(path.join(at.folder(key), 'seg-1.m4s'))).toEqual(segmentBytes(1));
  });

  it('has another name if anything differs that can change a byte', () => {
    const changes: Partial<EncodeProfile>[] = [
      { source: 'other' },
      { quality: '720p' },
      { audioIndex: 1 },
      { encoder: 'ffmpeg 6.0 libx264' },
      { template: '-crf 24' },
      { format: 'subtitles' },
    ];
    const keys = [{}, ...changes].map((change) => entryKey(profile(change), 'init'));
    expect(new Set([...keys, entryKey(profile(), 'another init')]).size).toBe(8);
    expect(entryKey(profile({ sourceLabel: 'other', place: 'other' }), 'init')).toBe(keys[0]);
    // Fields that run into one another are no collision.
    expect(entryKey(profile({ encoder: 'ab', template: 'c' }), 'i')).not.toBe(
      entryKey(profile({ encoder: 'a', template: 'bc' }), 'i'),
    );
  });

  it('never holds the identity of its source, which may be secret', async () => {
    const cache = await at.open();
    const { key } = await sealEntry(cache, { count: 1, of: 'https://u:SECRET@host/f?t=SECRET', place: 'SECRET' });
    for (const name of ['entry.json', 'index.jsonl', '.complete']) {
      expect(await readFile(path.join(at.folder(key), name), 'utf8')).not.toContain('SECRET');
    }
    expect(JSON.stringify(cache.report())).not.toContain('SECRET');
  });

  it('is found again with everything in it, in the same process and in the next', async () => {
    const cache = await at.open();
    const { profile: its, key } = await sealEntry(cache, { count: 3 });
    const check = async (from: typeof cache): Promise<void> => {
      const lease = (await from.acquire(its, 3))!;
      expect(lease).toMatchObject({ key, segmentCount: 3, isComplete: true, isGone: false });
      expect(lease.present()).toEqual([0, 1, 2]);
      expect(lease.durationTicks(1)).toBe(360_000);
      expect(await readFile(lease.init().path, 'utf8')).toBe('init of film');
      for (const index of [0, 1, 2]) {
        const found = lease.find(index)!;
        expect(await readFile(found.path)).toEqual(segmentBytes(index));
        expect(found.size).toBe(64);
      }
      expect(lease.find(3)).toBeUndefined();
      expect(lease.bytes).toBe(3 * 64 + 12);
      await lease.release();
    };
    await check(cache);
    await cache.close();
    const next = await at.open();
    expect(at.budget.usedBytes).toBe(3 * 64 + 12);
    await check(next);
  });

  it('is not found under another profile: a source that changed is a miss', async () => {
    const cache = await at.open();
    const { profile: its } = await sealEntry(cache, { count: 1 });
    expect(await cache.acquire({ ...its, source: 'film, touched' }, 1)).toBeUndefined();
    expect(cache.report().totals).toMatchObject({ hits: 0, misses: 1 });
  });

  it('goes early when other bytes at its place are encoded, but not while it is used', async () => {
    const cache = await at.open();
    const old = await sealEntry(cache, { count: 1, of: 'v1', place: '/film' });
    const lease = (await cache.acquire(old.profile, 1))!;
    const other = await sealEntry(cache, { count: 1, of: 'v2', place: '/film' });
    const audio = await sealEntry(cache, { count: 1, of: 'v2', place: '/film', quality: 'audio-0' });
    expect(await readFile(lease.find(0)!.path)).toEqual(segmentBytes(0, 64, 'v1'));
    await lease.release();
    await cache.close();
    expect((await readdir(at.root)).sort()).toEqual([other.key, audio.key].sort());
  });

  it('stays if it is asked for again after other bytes at its place were encoded', async () => {
    const cache = await at.open();
    const old = await sealEntry(cache, { count: 1, of: 'v1', place: '/film' });
    const lease = (await cache.acquire(old.profile, 1))!;
    await sealEntry(cache, { count: 1, of: 'v2', place: '/film' });
    const again = (await cache.acquire(old.profile, 1))!;
    await lease.release();
    await again.release();
    expect((await cache.acquire(old.profile, 1))?.isComplete).toBe(true);
  });

  it('holds subtitle tracks as well', async () => {
    const cache = await at.open();
    const { key } = await sealEntry(cache, { count: 2, format: 'subtitles' });
    expect((await readdir(at.folder(key))).sort()).toEqual(
      ['.complete', 'entry.json', 'index.jsonl', 'track-0.vtt', 'track-1.vtt', 'tracks.json'].sort(),
    );
  });
});

describe('an init that differs', () => {
  it('begins another entry; the old one is not found any more and goes once nobody uses it', async () => {
    const cache = await at.open();
    const { profile: its, lease, writer } = await makeEntry(cache, { count: 3, indices: [0] });
    const other = await cache.create(its, 3, Buffer.from('another init'));
    expect(other.key).not.toBe(lease.key);
    expect(other.present()).toEqual([]);
    await writer.write({ run: writer.beginRun(), index: 1, bytes: segmentBytes(1), durationTicks: 1 });
    expect(other.has(1)).toBe(false);
    expect((await cache.acquire(its, 3))!.key).toBe(other.key);
    await lease.release();
    await cache.close();
    expect(existsSync(at.folder(lease.key))).toBe(false);
    expect(existsSync(at.folder(other.key))).toBe(true);
  });

  it('that comes back finds its old entry, if that is still used', async () => {
    const cache = await at.open();
    const { profile: its, lease } = await makeEntry(cache, { count: 3, indices: [0] });
    const other = await cache.create(its, 3, Buffer.from('another init'));
    const again = await cache.create(its, 3, Buffer.from('init of film'));
    expect(again.key).toBe(lease.key);
    expect(again.has(0)).toBe(true);
    await lease.release();
    await again.release();
    await other.release();
    await cache.close();
    expect(await readdir(at.root)).toEqual([lease.key]);
  });

  it('is what counts after a restart: of two entries of a profile, the newer one stays', async () => {
    const cache = await at.open();
    const { profile: its } = await makeEntry(cache, { count: 3, indices: [0, 1] });
    at.clock.advance(1);
    const other = await cache.create(its, 3, Buffer.from('another init'));
    await fill(other.writer()!, { indices: [2] });
    await other.release();
    // Not closed: the lease of the older one is still held, as when a process is killed.
    const next = await at.open();
    expect((await next.acquire(its, 3))!.key).toBe(other.key);
    await next.close();
    expect(await readdir(at.root)).toEqual([other.key]);
  });
});

describe('a writer', () => {
  it('is the only one of its entry until it is released', async () => {
    const cache = await at.open();
    const { lease, writer, profile: its } = await makeEntry(cache, { count: 2, indices: [0] });
    const second = (await cache.acquire(its, 2))!;
    expect(second.writer()).toBeUndefined();
    expect(lease.writer()).toBeUndefined();
    await lease.release();
    await lease.release();
    expect(lease.writer()).toBeUndefined();
    const next = second.writer()!;
    await next.write({ run: next.beginRun(), index: 1, bytes: segmentBytes(1), durationTicks: 1 });
    await expect(writer.write({ run: 0, index: 1, bytes: segmentBytes(1), durationTicks: 1 })).rejects.toMatchObject({
      code: 'GONE',
    });
    expect(second.present()).toEqual([0, 1]);
  });

  it('leaves what is there already as it is', async () => {
    const cache = await at.open();
    const { lease, writer } = await makeEntry(cache, { count: 2, indices: [0] });
    const run = writer.beginRun();
    const other = Buffer.from('other bytes');
    await Promise.all([0, 1, 1, 0].map((index) => writer.write({ run, index, bytes: other, durationTicks: 7 })));
    expect(await readFile(lease.find(0)!.path)).toEqual(segmentBytes(0));
    expect(lease.durationTicks(0)).toBe(360_000);
    expect(await readFile(lease.find(1)!.path)).toEqual(other);
    expect(at.budget.usedBytes).toBe(lease.bytes);
    expect(lease.bytes).toBe(12 + 64 + other.length);
  });

  it.each([-1, 2, 0.5, NaN, Infinity])('refuses segment %d of 2', async (index) => {
    const cache = await at.open();
    const { writer } = await makeEntry(cache, { count: 2, indices: [] });
    const run = writer.beginRun();
    const written = writer.write({ run, index, bytes: segmentBytes(0), durationTicks: 1 });
    await expect(written).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(at.budget.usedBytes).toBe(12);
  });

  it('refuses a run that has not begun or has ended', async () => {
    const cache = await at.open();
    const { writer } = await makeEntry(cache, { count: 2, indices: [] });
    const run = writer.beginRun();
    await writer.endRun(run);
    for (const wrong of [run, 99]) {
      const written = writer.write({ run: wrong, index: 0, bytes: segmentBytes(0), durationTicks: 1 });
      await expect(written).rejects.toMatchObject({ code: 'INTERNAL' });
    }
  });

  it('seals only when every segment is there, whatever the order and the number of runs', async () => {
    const cache = await at.open();
    const { lease, writer } = await makeEntry(cache, { count: 5, indices: [3, 4] });
    expect(await writer.seal()).toBe(false);
    await fill(writer, { indices: [0, 1] });
    expect(await writer.seal()).toBe(false);
    expect(lease.isComplete).toBe(false);
    await fill(writer, { indices: [2] });
    expect(await Promise.all([writer.seal(), writer.seal()])).toEqual([true, true]);
    expect(lease.isComplete).toBe(true);
    expect(await writer.seal()).toBe(true);
  });

  it('seals only once the gate is open, and not if it never opens', async () => {
    const cache = await at.open();
    const { lease, writer } = await makeEntry(cache, { count: 1 });
    const rejecting = () => Promise.reject(new Error('no subtitles'));
    expect(await writer.seal({ gate: rejecting })).toBe(false);
    const gate = deferred();
    const sealed = writer.seal({ gate: () => gate.promise });
    expect(lease.init().size).toBe(12);
    expect(existsSync(path.join(at.folder(lease.key), '.complete'))).toBe(false);
    gate.resolve();
    expect(await sealed).toBe(true);
    expect(existsSync(path.join(at.folder(lease.key), '.complete'))).toBe(true);
  });

  it('does not seal for somebody else: after its release the gate is of no use', async () => {
    const cache = await at.open();
    const { lease, writer } = await makeEntry(cache, { count: 1 });
    const gate = deferred();
    const sealed = writer.seal({ gate: () => gate.promise });
    await writer.release();
    gate.resolve();
    expect(await sealed).toBe(false);
    expect(lease.isComplete).toBe(false);
  });

  it.each(['cut', 'deleted'])(
    'does not seal over a segment that was %s meanwhile; it counts no longer',
    async (how) => {
      const cache = await at.open();
      const { lease, writer } = await makeEntry(cache, { count: 3 });
      const { path: file } = lease.find(1)!;
      await (how === 'cut' ? truncate(file, 10) : rm(file));
      expect(await writer.seal()).toBe(false);
      expect(lease.present()).toEqual([0, 2]);
      expect(at.budget.usedBytes).toBe(lease.bytes);
      await fill(writer, { indices: [1] });
      expect(await writer.seal()).toBe(true);
      expect(await readFile(file)).toEqual(segmentBytes(1));
    },
  );
});

describe('the cache', () => {
  it('makes one entry for all who ask at once', async () => {
    const cache = await at.open();
    const leases = await Promise.all([1, 2, 3].map(() => cache.create(profile(), 4, Buffer.from('init'))));
    expect(new Set(leases.map(({ key }) => key)).size).toBe(1);
    expect(leases.filter((lease) => lease.writer() !== undefined)).toHaveLength(1);
    expect(at.budget.usedBytes).toBe(4);
  });

  it('deletes an entry that nobody uses, and no other', async () => {
    const cache = await at.open();
    const { key, profile: its } = await sealEntry(cache, { count: 1 });
    const lease = (await cache.acquire(its, 1))!;
    expect(await cache.delete(key)).toBe('in-use');
    await lease.release();
    expect(await cache.delete(key)).toBe('deleted');
    expect(existsSync(at.folder(key))).toBe(false);
    expect(await cache.delete(key)).toBe('unknown');
    expect(await cache.delete('../..')).toBe('unknown');
    expect(at.budget.usedBytes).toBe(0);
  });

  it('invalidates an entry under those who use it; it can be made anew at once', async () => {
    const cache = await at.open();
    const { lease, writer, profile: its } = await makeEntry(cache, { count: 2, indices: [0] });
    const run = writer.beginRun();
    const late = writer.write({ run, index: 1, bytes: segmentBytes(1), durationTicks: 1 });
    const gone = cache.invalidate(lease.key, 'the encoder failed');
    expect(lease.isGone).toBe(true);
    expect([lease.find(0), lease.has(0), lease.present(), lease.writer()]).toEqual([undefined, false, [], undefined]);
    expect(() => lease.init()).toThrow('gone');
    await expect(late).rejects.toMatchObject({ code: 'GONE' });
    const again = await cache.create(its, 2, Buffer.from('init of film'));
    await gone;
    expect(again.key).toBe(lease.key);
    expect(again.present()).toEqual([]);
    await fill(again.writer()!, { indices: [0, 1] });
    await lease.release();
    expect(await readFile(again.find(1)!.path)).toEqual(segmentBytes(1));
    expect(at.budget.usedBytes).toBe(again.bytes);
    expect(cache.report().totals).toMatchObject({ invalidations: 1, entries: 1 });
    expect(at.warnings).toHaveLength(1);
  });

  it('leaves alone what is not its own in its folder', async () => {
    await mkdir(path.join(at.root, 'holiday'), { recursive: true });
    await writeFile(path.join(at.root, 'notes.txt'), 'mine');
    await (await at.open()).close();
    expect((await readdir(at.root)).sort()).toEqual(['holiday', 'notes.txt']);
  });

  it('says what is in the way of its folder', async () => {
    await writeFile(at.root, 'a file');
    await expect(at.open()).rejects.toMatchObject({
      code: 'BAD_CONFIG',
      message: expect.stringContaining(at.root) as string,
    });
  });

  it('refuses to be used once it is closed', async () => {
    const cache = await at.open();
    await cache.close();
    await expect(cache.acquire(profile(), 1)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(cache.create(profile(), 1, Buffer.from('x'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(at.clock.pending).toBe(0);
  });
});
