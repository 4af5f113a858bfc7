import { afterEach, describe, expect, it } from 'vitest';
import type { CacheLease } from '../../../src/cache/cache-lease.ts';
import { deferred } from '../../../src/util/deferred.ts';
import type { EntryCache } from '../../../src/vod/play/rendition-entry.ts';
import { type PoolRig, poolRig } from '../../support/vod-pool-rig.ts';

const { signal } = new AbortController();
let rig: PoolRig;

afterEach(() => rig.close());

describe('RenditionPool, filling the cache', () => {
  it('encodes all that is missing, gap by gap, and completes the entry', async () => {
    rig = await poolRig({ segments: 10 });
    const viewer = rig.open();
    const wanted = viewer.segment(4, signal);
    const head = await rig.head(0);
    head.make(5);
    await wanted;
    await rig.encoded(viewer, 2);
    head.end('failed', { reason: 'it crashed' });
    const filled = viewer.fill(signal);
    const front = await rig.head(1);
    expect([front.first, front.request.end]).toEqual([0, 4]);
    front.make(3);
    front.end();
    const back = await rig.head(2);
    expect([back.first, back.request.end]).toEqual([6, 10]);
    back.make(9);
    back.end();
    await filled;
    expect(viewer.progress()).toMatchObject({ segmentCount: 10, encoded: 10, isComplete: true });
    expect(viewer.progress().bytes).toBeGreaterThan(0);
  });

  it('completes an entry although viewers seeked, without being asked to fill it', async () => {
    rig = await poolRig({ segments: 6 });
    const viewer = rig.open();
    for (const [number, index] of [4, 2, 0].entries()) {
      const wanted = viewer.segment(index, signal);
      const head = await rig.head(number);
      head.make(index + 1);
      head.end();
      await wanted;
    }
    await rig.encoded(viewer, 6);
    while (!viewer.progress().isComplete) await viewer.segment(0, signal);
    rig = await rig.restart();
    await rig.open().fill(signal);
    expect(rig.heads).toHaveLength(0);
  });

  it('waits for the gate before an entry is complete', async () => {
    const gate = deferred();
    rig = await poolRig({ segments: 2, gate: () => gate.promise });
    const viewer = rig.open();
    const filled = viewer.fill(signal);
    (await rig.head(0)).make(1);
    await rig.encoded(viewer, 2);
    await viewer.segment(1, signal);
    expect(viewer.progress()).toMatchObject({ encoded: 2, isComplete: false });
    gate.resolve();
    await filled;
    expect(viewer.progress().isComplete).toBe(true);
  });

  it('leaves an entry partial whose gate fails, says so, and tries again later', async () => {
    let gate: Promise<unknown> = Promise.reject(new Error('no subtitles'));
    gate.catch(() => undefined);
    rig = await poolRig({ segments: 2, gate: () => gate });
    const viewer = rig.open();
    const filled = viewer.fill(signal).catch((error: unknown) => error);
    (await rig.head(0)).make(1);
    expect(await filled).toMatchObject({ code: 'UNAVAILABLE' });
    expect(viewer.progress().isComplete).toBe(false);
    gate = Promise.resolve();
    rig.clock.advance(61_000);
    await viewer.fill(signal);
    expect(viewer.progress().isComplete).toBe(true);
    expect(rig.heads).toHaveLength(1);
  });

  it('completes an entry of which everything was there already', async () => {
    rig = await poolRig({ segments: 2, gate: (_title, closing) => rejected(closing) });
    const viewer = rig.open();
    const wanted = viewer.segment(0, signal);
    (await rig.head(0)).make(1);
    await wanted;
    await rig.encoded(viewer, 2);
    rig = await rig.restart({ gate: () => Promise.resolve() });
    const again = rig.open();
    await again.fill(signal);
    expect([again.progress().isComplete, rig.heads.length]).toEqual([true, 0]);
  });

  it('stops when nobody wants it any more, and keeps what is encoded', async () => {
    rig = await poolRig();
    const viewer = rig.open();
    const away = new AbortController();
    const filled = viewer.fill(away.signal).catch((error: unknown) => error);
    const head = await rig.head(0);
    head.make(5);
    await rig.encoded(viewer, 6);
    expect(head.isPaused).toBe(false);
    away.abort();
    expect(await filled).toMatchObject({ code: 'GONE' });
    expect([head.isPaused, viewer.progress().encoded]).toEqual([true, 6]);
  });

  it('says which segment cannot be encoded', async () => {
    rig = await poolRig({ segments: 4 });
    const viewer = rig.open();
    const filled = viewer.fill(signal).catch((error: unknown) => error);
    const head = await rig.head(0);
    head.make(1);
    await rig.encoded(viewer, 2);
    head.end('failed', { reason: 'it crashed' });
    (await rig.head(1)).end('failed', { reason: 'it crashed' });
    expect(await filled).toMatchObject({
      code: 'TRANSCODER_FAILED',
      message: expect.stringMatching(/segment 2 .*crashed/) as string,
    });
    expect(viewer.progress()).toMatchObject({ encoded: 2, isComplete: false });
  });

  it('says where a file ends that is not whole', async () => {
    rig = await poolRig({ segments: 4 });
    const viewer = rig.open();
    const filled = viewer.fill(signal).catch((error: unknown) => error);
    const head = await rig.head(0);
    head.make(1);
    head.end('early');
    (await rig.head(1)).end('early');
    expect(await filled).toMatchObject({ code: 'GONE' });
  });

  it('gives up after everything was encoded once if the cache cannot hold it', async () => {
    rig = await poolRig({ segments: 3 });
    const { cache } = rig;
    const forgetful: EntryCache = {
      acquire: () => Promise.resolve(undefined),
      create: async (...args) => without(0, await cache.create(...args)),
      invalidate: (...args) => cache.invalidate(...args),
    };
    const small = await poolRig({ segments: 3, cache: forgetful });
    const viewer = small.open();
    const filled = viewer.fill(signal).catch((error: unknown) => error);
    const head = await small.head(0);
    head.make(2);
    head.end();
    expect(await filled).toMatchObject({
      ...{ code: 'UNAVAILABLE', message: expect.stringMatching(/storage\.sizeGb/) as string },
    });
    expect(small.heads).toHaveLength(1);
    await small.close();
  });

  it('reports how far it is and how quick', async () => {
    rig = await poolRig({ segments: 4 });
    const viewer = rig.open();
    const filled = viewer.fill(signal);
    const head = await rig.head(0);
    rig.clock.advance(2_000);
    head.make(0);
    await rig.encoded(viewer, 1);
    expect(viewer.progress()).toMatchObject({
      ...{ segmentCount: 4, encoded: 1, speed: 2, failed: undefined },
      heads: [{ next: 1, end: 4, state: 'running' }],
    });
    expect(rig.pool.report().heads).toEqual([{ source: 'film', rendition: '360p', next: 1, end: 4, state: 'running' }]);
    head.make(3);
    await filled;
  });
});

/** A lease that has lost a segment, as when the cache had to make room. */
function without(lost: number, lease: CacheLease): CacheLease {
  return {
    ...{ key: lease.key, segmentCount: lease.segmentCount, bytes: 0, isComplete: false, isGone: false },
    init: () => lease.init(),
    find: (index) => (index === lost ? undefined : lease.find(index)),
    has: (index) => index !== lost && lease.has(index),
    present: () => lease.present().filter((index) => index !== lost),
    durationTicks: (index) => lease.durationTicks(index),
    writer: () => lease.writer(),
    release: () => lease.release(),
  };
}

function rejected(when: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    when.addEventListener('abort', () => reject(new Error('closing')), { once: true });
  });
}
