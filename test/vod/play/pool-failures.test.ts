import { readdir, rm, truncate } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { MediaFile } from '../../../src/hls/media-file.ts';
import { DiskBudget } from '../../../src/cache/disk-budget.ts';
import { SegmentCache } from '../../../src/cache/segment-cache.ts';
import { silentLogger } from '../../../src/util/logger.ts';
import { type PoolRig, poolRig, segmentBytes } from '../../support/vod-pool-rig.ts';

const { signal } = new AbortController();
let rig: PoolRig;

afterEach(() => rig.close());

function bytesOf(file: MediaFile): Buffer | undefined {
  return 'bytes' in file ? file.bytes : undefined;
}

/** The files of the only entry. */
function entryFolder(): string {
  const [entry] = rig.cache.report().entries;
  return path.join(rig.folder, 'cache', entry!.key);
}

describe('RenditionPool, when encoding fails', () => {
  it('tries a segment once more with another encoder, keeping what was complete', async () => {
    rig = await poolRig();
    const viewer = rig.open();
    const [first, third] = [viewer.segment(0, signal), viewer.segment(1, signal)];
    const head = await rig.head(0);
    head.make(0);
    await first;
    head.end('failed', { reason: 'it crashed' });
    const again = await rig.head(1);
    expect(again.first).toBe(1);
    again.make(1);
    expect(bytesOf(await third)).toEqual(segmentBytes('360p', 1, 1));
    await rig.encoded(viewer, 2);
    expect(rig.pool.report()).toMatchObject({ headsStarted: 2, headsFailed: 1 });
  });

  it('does not try a segment that failed twice for 60 s, but all others', async () => {
    rig = await poolRig();
    const viewer = rig.open();
    const first = viewer.segment(0, signal);
    (await rig.head(0)).make(0);
    await first;
    const bad = viewer.segment(10, signal).catch((error: unknown) => error);
    for (const number of [1, 2]) (await rig.head(number)).end('failed', { reason: 'it crashed' });
    expect(await bad).toMatchObject({
      code: 'TRANSCODER_FAILED',
      message: expect.stringMatching(/segment 10.*it crashed/) as string,
    });
    await expect(viewer.segment(10, signal)).rejects.toMatchObject({ code: 'TRANSCODER_FAILED' });
    const good = viewer.segment(15, signal);
    (await rig.head(3)).make(15);
    await good;
    rig.clock.advance(60_000);
    const retried = viewer.segment(10, signal);
    (await rig.head(4)).make(10);
    await retried;
    expect(rig.heads.map(({ first: at }) => at)).toEqual([0, 10, 10, 15, 10]);
  });

  it('gives a rendition of which nothing can be encoded up for 30 s', async () => {
    rig = await poolRig();
    const viewer = rig.open();
    const outcomes = [viewer.init(signal), viewer.segment(0, signal), viewer.fill(signal)].map((wish) =>
      wish.catch((error: unknown) => error),
    );
    await rig.wanted(1);
    for (const number of [0, 1]) (await rig.head(number)).end('failed', { reason: 'bad data', code: 'BAD_MEDIA' });
    for (const outcome of outcomes) expect(await outcome).toMatchObject({ code: 'BAD_MEDIA' });
    expect(viewer.progress().failed).toMatch(/bad data/);
    await expect(viewer.init(signal)).rejects.toMatchObject({ code: 'BAD_MEDIA' });
    await expect(viewer.segment(7, signal)).rejects.toMatchObject({ code: 'BAD_MEDIA' });
    expect(rig.heads).toHaveLength(2);
    rig.clock.advance(30_000);
    expect(viewer.progress().failed).toBeUndefined();
    const segment = viewer.segment(0, signal);
    (await rig.head(2)).make(0);
    await segment;
  });

  it('invalidates the entry of a rendition that failed at once', async () => {
    rig = await poolRig();
    const viewer = rig.open();
    const wanted = viewer.segment(0, signal).catch((error: unknown) => error);
    for (const number of [0, 1]) {
      const head = await rig.head(number);
      head.begin();
      await vi.waitFor(() => expect(rig.cache.report().entries).toHaveLength(1));
      head.end('failed', { reason: 'it crashed' });
    }
    expect(await wanted).toMatchObject({ code: 'TRANSCODER_FAILED' });
    await vi.waitFor(() => expect(rig.cache.report().entries).toHaveLength(0));
  });

  it('does not try again what is gone', async () => {
    rig = await poolRig();
    const wanted = rig
      .open()
      .segment(0, signal)
      .catch((error: unknown) => error);
    (await rig.head(0)).end('failed', { reason: 'the file has changed', code: 'GONE' });
    expect(await wanted).toMatchObject({
      code: 'GONE',
      message: expect.stringMatching(/the file has changed/) as string,
    });
    expect(rig.heads).toHaveLength(1);
  });

  it('lets libx264 stand in for a hardware encoder that does not open', async () => {
    rig = await poolRig();
    const viewer = rig.open({ encoder: 'h264_nvenc' });
    let changes = 0;
    viewer.onProgress(() => (changes += 1));
    const wanted = viewer.segment(3, signal);
    for (const number of [0, 1]) (await rig.head(number)).end('failed', { reason: 'no device' });
    const head = await rig.head(2);
    expect(head.request.rendition).toMatchObject({ name: '360p', encoder: { name: 'libx264' } });
    const before = changes;
    head.make(3);
    await wanted;
    expect(changes).toBeGreaterThan(before);
    const other = rig.open();
    await other.segment(3, signal);
    expect(rig.heads).toHaveLength(3);
  });

  it('ends an encoder that hangs while somebody waits', async () => {
    rig = await poolRig();
    const wanted = rig.open().segment(0, signal);
    const head = await rig.head(0);
    rig.clock.advance(59_000);
    expect(head.isClosed).toBe(false);
    rig.clock.advance(2_000);
    expect(head.isClosed).toBe(true);
    (await rig.head(1)).make(0);
    await wanted;
  });

  it('believes that a file ends early once two encoders found it', async () => {
    const shortened: number[] = [];
    rig = await poolRig({ onShortened: (_title, end) => shortened.push(end) });
    const viewer = rig.open();
    const [first, late] = [viewer.segment(0, signal), viewer.segment(12, signal).catch((error: unknown) => error)];
    const head = await rig.head(0);
    const far = await rig.head(1);
    head.make(3);
    await first;
    far.end('early');
    const probe = await rig.head(2);
    expect([probe.first, shortened]).toEqual([12, []]);
    probe.end('early');
    expect(await late).toMatchObject({
      code: 'GONE',
      message: expect.stringMatching(/ends before segment 12/) as string,
    });
    await expect(viewer.segment(13, signal)).rejects.toMatchObject({ code: 'GONE' });
    expect(shortened).toEqual([12]);
    const end = viewer.segment(4, signal);
    head.make(4);
    await end;
  });

  it('goes on when the source turns out to be longer than an encoder thought', async () => {
    rig = await poolRig();
    const viewer = rig.open();
    const first = viewer.segment(0, signal);
    const head = await rig.head(0);
    head.make(1);
    await first;
    head.end('early');
    await rig.quiet();
    const next = viewer.segment(9, signal);
    const probe = await rig.head(1);
    expect(probe.first).toBe(2);
    probe.make(2);
    const retry = await rig.head(2);
    expect(retry.first).toBe(9);
    retry.make(9);
    await next;
  });

  it('encodes anew what is damaged in the cache', async () => {
    rig = await poolRig();
    const viewer = rig.open();
    const wanted = viewer.segment(0, signal);
    const head = await rig.head(0);
    head.make(1);
    await wanted;
    await rig.encoded(viewer, 2);
    await truncate(path.join(entryFolder(), 'seg-1.m4s'), 5);
    const again = viewer.segment(1, signal);
    const next = await rig.head(1);
    expect([next.first, head.isClosed]).toEqual([1, true]);
    next.make(1);
    expect(bytesOf(await again)).toEqual(segmentBytes('360p', 1, 1));
  });

  it('encodes anew what was deleted while nobody played', async () => {
    rig = await poolRig({ segments: 2 });
    const viewer = rig.open();
    const filled = viewer.fill(signal);
    (await rig.head(0)).make(1);
    await filled;
    await rm(path.join(entryFolder(), 'seg-0.m4s'));
    rig = await rig.restart();
    const again = rig.open().segment(1, signal);
    const head = await rig.head(0);
    head.make(1);
    expect(bytesOf(await again)).toEqual(segmentBytes('360p', 1, 1));
  });

  it('never mixes segments of different inits', async () => {
    rig = await poolRig();
    const viewer = rig.open();
    const wanted = viewer.segment(0, signal);
    const head = await rig.head(0);
    head.make(1);
    await wanted;
    await rig.encoded(viewer, 2);
    const other = viewer.segment(15, signal);
    const second = await rig.head(1);
    second.begin('another init');
    second.make(15);
    expect(bytesOf(await other)).toEqual(segmentBytes('360p', 15, 15));
    expect(bytesOf(await viewer.init(signal))).toEqual(Buffer.from('another init'));
    await rig.encoded(viewer, 1);
    expect([head.isClosed, viewer.progress().encoded]).toEqual([true, 1]);
    const anew = viewer.segment(1, signal);
    const third = await rig.head(2);
    third.begin('a third init');
    third.make(1);
    await expect(anew).rejects.toMatchObject({
      code: 'TRANSCODER_FAILED',
      message: expect.stringMatching(/another init/) as string,
    });
    expect(viewer.progress().failed).toMatch(/another init/);
  });

  it('delivers what the cache does not take to who waits, then refuses for a while', async () => {
    let isFull = false;
    rig = await poolRig();
    const budget = await DiskBudget.open({ folder: rig.folder, size: 1 });
    const cache = await SegmentCache.open({
      ...{ root: path.join(rig.folder, 'other'), budget, clock: rig.clock, logger: silentLogger },
      writeFile: async (file, bytes) => {
        if (isFull) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
        const { writeFile } = await import('node:fs/promises');
        await writeFile(file, bytes);
      },
    });
    rig = await rig.restart({ cache });
    const viewer = rig.open();
    const first = viewer.segment(0, signal);
    const head = await rig.head(0);
    isFull = true;
    head.make(0);
    expect(bytesOf(await first)).toEqual(segmentBytes('360p', 0, 0));
    await vi.waitFor(() => expect(viewer.progress().failed).toBeDefined());
    expect(head.isPaused).toBe(true);
    await expect(viewer.segment(5, signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(viewer.fill(signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    isFull = false;
    rig.clock.advance(10_000);
    const next = viewer.segment(15, signal);
    (await rig.head(1)).make(15);
    await next;
    await rig.encoded(viewer, 1);
    expect((await readdir(path.join(rig.folder, 'other'))).length).toBeGreaterThan(0);
    await rig.pool.close();
    await cache.close();
  });
});
