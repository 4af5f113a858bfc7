import { setMaxListeners } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { type PoolRig, poolRig, type ScriptedHead } from '../../support/vod-pool-rig.ts';

const { signal } = new AbortController();
let rig: PoolRig;

afterEach(() => rig.close());

/** Heads that run now. */
function running(): ScriptedHead[] {
  return rig.heads.filter(({ isClosed }) => !isClosed);
}

describe('RenditionPool, when more is wanted than encoders may run', () => {
  it('never runs more than the limit, and serves who waits in turn', async () => {
    rig = await poolRig({ maxEncoders: 2, aheadSegments: 0, segments: 100 });
    const viewers = Array.from({ length: 6 }, () => rig.open());
    const answers = viewers.map((viewer, place) => viewer.segment(place * 10, signal));
    for (let turn = 0; turn < 6; turn += 1) {
      const head = await rig.head(turn);
      expect(running().length).toBeLessThanOrEqual(2);
      expect(rig.pool.report().running).toBeLessThanOrEqual(2);
      head.make(head.first);
    }
    await Promise.all(answers);
    expect(rig.heads.map(({ first }) => first)).toEqual([0, 10, 20, 30, 40, 50]);
  });

  it('lets a paused encoder give way', async () => {
    rig = await poolRig({ maxEncoders: 1, aheadSegments: 1 });
    const [one, other] = [rig.open(), rig.open()];
    const first = one.segment(0, signal);
    const head = await rig.head(0);
    head.make(1);
    await first;
    const second = other.segment(15, signal);
    (await rig.head(1)).make(15);
    await second;
    expect([head.isClosed, rig.heads.length]).toEqual([true, 2]);
    expect(rig.pool.report()).toMatchObject({ running: 1, headsStarted: 2 });
  });

  it('ends encoders after what is awaited instead of reading ahead', async () => {
    rig = await poolRig({ maxEncoders: 1 });
    const [one, other] = [rig.open(), rig.open()];
    const first = one.segment(0, signal);
    const head = await rig.head(0);
    const second = other.segment(10, signal);
    await rig.wanted(2);
    expect(head.isClosed).toBe(false);
    head.make(0);
    await first;
    const next = await rig.head(1);
    expect([head.isClosed, next.first]).toEqual([true, 10]);
    next.make(10);
    await second;
  });

  it('makes only what is awaited while others wait', async () => {
    rig = await poolRig({ maxEncoders: 1 });
    const [one, other, third] = [rig.open(), rig.open(), rig.open()];
    const answers = [one.segment(0, signal), other.segment(10, signal), third.segment(15, signal)];
    const first = await rig.head(0);
    await rig.wanted(3);
    first.make(0);
    const second = await rig.head(1);
    expect([second.first, second.request.end]).toEqual([10, 11]);
    second.make(10);
    const last = await rig.head(2);
    expect([last.first, last.request.end]).toEqual([15, 20]);
    last.make(15);
    await Promise.all(answers);
  });

  it('frees a slot only when the process is gone', async () => {
    rig = await poolRig({ maxEncoders: 1, aheadSegments: 0 });
    const [one, other] = [rig.open(), rig.open()];
    const first = one.segment(0, signal);
    const head = await rig.head(0);
    head.isObedient = false;
    head.make(0);
    await first;
    const second = other.segment(10, signal);
    await rig.wanted(1);
    expect([head.isClosed, rig.heads.length]).toEqual([true, 1]);
    expect(rig.pool.report()).toMatchObject({ running: 1, waiting: 1 });
    head.end('closed');
    (await rig.head(1)).make(10);
    await second;
  });

  it('answers who has waited for 20 s that all encoders are busy', async () => {
    rig = await poolRig({ maxEncoders: 1 });
    const [one, other] = [rig.open(), rig.open({ name: '720p' })];
    const first = one.segment(0, signal);
    const head = await rig.head(0);
    const second = other.segment(0, signal);
    const init = other.init(signal);
    const refusals = Promise.allSettled([second, init]);
    await rig.wanted(2);
    rig.clock.advance(21_000);
    for (const refusal of await refusals) {
      expect(refusal).toMatchObject({
        reason: { code: 'UNAVAILABLE', message: expect.stringMatching(/busy for 20 s/) as string },
      });
    }
    expect(rig.pool.report()).toMatchObject({ running: 1, waiting: 0, wanted: 1 });
    head.make(0);
    await first;
  });

  it('survives 1,000 seeks, never with more processes than allowed, and serves the last one', async () => {
    rig = await poolRig({ maxEncoders: 2, segments: 2_000 });
    const viewer = rig.open();
    let most = 0;
    for (let seek = 0; seek < 1_000; seek += 1) {
      const away = new AbortController();
      const outcome = viewer.segment((seek * 769) % 1_999, away.signal).catch((error: unknown) => error);
      await rig.wanted(1);
      most = Math.max(most, running().length, rig.pool.report().running);
      away.abort();
      expect(await outcome).toMatchObject({ code: 'GONE' });
    }
    const last = viewer.segment(1_999, signal);
    let number = 0;
    while ((await rig.head(number)).first !== 1_999) number += 1;
    rig.heads[number]?.make(1_999);
    await last;
    expect(most).toBe(2);
    expect(rig.pool.report()).toMatchObject({ waiting: 0, wanted: 0 });
  });

  it('bounds how many wait for a rendition', async () => {
    rig = await poolRig();
    const viewer = rig.open();
    const away = new AbortController();
    setMaxListeners(1_000, away.signal);
    const waiting = Array.from({ length: 1_000 }, () => viewer.segment(0, away.signal).catch(() => 'withdrawn'));
    await rig.wanted(1_000);
    await expect(viewer.segment(1, signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(rig.pool.report().wanted).toBe(1_000);
    away.abort();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['withdrawn']));
    expect(rig.pool.report().wanted).toBe(0);
  });

  it('serves viewers before it fills the cache, and goes on filling afterwards', async () => {
    rig = await poolRig({ maxEncoders: 1, aheadSegments: 0, segments: 4 });
    const [filler, viewer] = [rig.open({ name: '720p' }), rig.open()];
    const filled = filler.fill(signal);
    const filling = await rig.head(0);
    filling.make(1);
    await rig.encoded(filler, 2);
    const wanted = viewer.segment(3, signal);
    const head = await rig.head(1);
    expect(filling.isClosed).toBe(true);
    head.make(3);
    head.end();
    await wanted;
    const rest = await rig.head(2);
    expect([rest.first, rest.request.end]).toEqual([2, 4]);
    rest.make(3);
    await filled;
    expect(filler.progress()).toMatchObject({ encoded: 4, isComplete: true });
  });

  it('runs no more encoders than there are distinct gaps', async () => {
    rig = await poolRig({ maxEncoders: 50, segments: 100, aheadSegments: 2 });
    const viewers = Array.from({ length: 50 }, () => rig.open());
    const answers = viewers.map((viewer, place) => viewer.segment((place % 5) * 20, new AbortController().signal));
    for (let number = 0; number < 5; number += 1) {
      const head = await rig.head(number);
      head.make(head.first);
    }
    await Promise.all(answers);
    expect(rig.pool.report()).toMatchObject({ headsStarted: 5, running: 5 });
  });
});
