import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { MediaItem } from '../../../src/upstream/pool/media-item.ts';
import type { PooledMedia } from '../../../src/upstream/pool/pooled-media.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/poll.ts';
import { PoolRig } from './pool-rig.ts';

let rig: PoolRig;
afterEach(() => rig.close());

function open(item: MediaItem | string, priority: 'asked' | 'prefetch' = 'asked', signal?: AbortSignal): PooledMedia {
  return rig.pool.open(typeof item === 'string' ? rig.item(item) : item, rig.fetcher, { priority, signal });
}

/** Fetches something and lets go of it. */
async function load(id: string): Promise<void> {
  const media = open(id);
  await media.whole();
  media.release();
}

async function read(media: PooledMedia): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of media.pieces()) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('SegmentPool', () => {
  it('fetches once for a hundred who want the same, early and late, slow and fast', async () => {
    rig = await PoolRig.start();
    rig.hold();
    const early = Array.from({ length: 50 }, () => open('0.ts'));
    const reads = early.map(read);
    // Takes one piece and then nothing more: nobody waits for it.
    const slow = early[0]!.pieces()[Symbol.asyncIterator]();
    await slow.next();
    const late = Array.from({ length: 50 }, () => open('0.ts'));
    reads.push(...late.map((media) => read(media)));
    await rig.finish('/0.ts');
    for (const bytes of await Promise.all(reads)) expect(bytes.equals(rig.bytes)).toBe(true);
    expect((await slow.next()).done).toBe(false);
    expect(rig.paths).toEqual(['/0.ts']);
    expect([early[0]!.origin, late[0]!.origin, open('0.ts').origin]).toEqual(['network', 'flight', 'memory']);
    expect(rig.pool.stats).toMatchObject({ misses: 1, hits: 100, inFlight: 0, entries: 1, bytes: rig.bytes.length });
  });

  it('hands out what has come while the rest is on its way, and tells what it is', async () => {
    rig = await PoolRig.start();
    rig.hold();
    const media = open('0.ts');
    expect([media.state, media.size]).toEqual(['loading', undefined]);
    await media.ready();
    expect([media.size, media.loadedBytes]).toEqual([rig.bytes.length, 1_000]);
    await rig.finish('/0.ts');
    await media.settled;
    expect([media.state, media.loadedBytes]).toEqual(['done', rig.bytes.length]);
  });

  it('tells things apart by what they are, not by where they are', async () => {
    rig = await PoolRig.start();
    await load('0.ts');
    const elsewhere = open(rig.item('0.ts', { path: '/0.ts?token=2' }));
    const another = open(rig.item('1.ts', { path: '/0.ts' }));
    await another.whole();
    expect([elsewhere.origin, another.origin, rig.paths]).toEqual(['memory', 'network', ['/0.ts', '/0.ts']]);
  });

  it('ends a fetch that nobody waits for any more, after a moment', async () => {
    const clock = new ManualClock();
    rig = await PoolRig.start({ clock });
    rig.hold();
    const first = open('0.ts');
    await first.ready();
    first.release();
    first.release();
    clock.advance(199);
    const second = open('0.ts');
    clock.advance(1_000);
    await turn();
    expect([second.origin, second.state]).toEqual(['flight', 'loading']);
    second.release();
    clock.advance(200);
    await until('the connection to close', async () => (await rig.server.connections()) === 0);
    await second.settled;
    expect(rig.pool.stats).toMatchObject({ entries: 0, bytes: 0, inFlight: 0, failures: 0 });
    const third = open('0.ts');
    await rig.finish('/0.ts');
    expect([third.origin, (await third.whole()).length]).toEqual(['network', rig.bytes.length]);
  });

  it('ends at once what was only fetched ahead', async () => {
    rig = await PoolRig.start({ clock: new ManualClock() });
    rig.hold();
    const media = open('0.ts', 'prefetch');
    await media.ready();
    const asked = open('0.ts');
    media.release();
    expect(asked.state).toBe('loading');
    const other = open('1.ts', 'prefetch');
    await rig.isAskedFor('/1.ts');
    other.release();
    await other.settled;
    expect([rig.pool.has('0.ts'), rig.pool.has('1.ts')]).toEqual([true, false]);
  });

  it('lets go of something when its signal aborts', async () => {
    const clock = new ManualClock();
    rig = await PoolRig.start({ clock });
    rig.hold();
    const controller = new AbortController();
    const media = open('0.ts', 'asked', controller.signal);
    await media.ready();
    controller.abort();
    media.release();
    clock.advance(200);
    await media.settled;
    expect(rig.pool.has('0.ts')).toBe(false);
    open('1.ts', 'asked', AbortSignal.abort());
    clock.advance(200);
    await until('nothing to be fetched', () => rig.pool.stats.inFlight === 0);
  });

  it('never keeps a part of something: all who read get the error, and the next one a new try after a second', async () => {
    const clock = new ManualClock();
    rig = await PoolRig.start({ clock });
    rig.hold();
    const readers = [open('0.ts'), open('0.ts')];
    await readers[0]!.ready();
    rig.server.trick = (_request, response) => void response.writeHead(404).end();
    // What was held before keeps its answer.
    await rig.break('/0.ts');
    const refusals = readers.map((media) => expect(media.whole()).rejects.toMatchObject({ code: 'UNAVAILABLE' }));
    await until('the wait before the next try', () => clock.pending > 1);
    clock.advance(250);
    await Promise.all(refusals);
    expect(rig.pool.stats).toMatchObject({ entries: 0, bytes: 0, failures: 1 });
    rig.server.trick = () => false;
    await expect(open('0.ts').whole()).rejects.toMatchObject({ status: 404 });
    clock.advance(999);
    await expect(open('0.ts').ready()).rejects.toMatchObject({ status: 404 });
    expect(rig.paths).toHaveLength(2);
    clock.advance(1);
    await load('0.ts');
    expect(rig.paths).toHaveLength(3);
  });

  it('tries anew at once what failed when it was only fetched ahead', async () => {
    rig = await PoolRig.start();
    rig.server.trick = (_request, response) => void response.writeHead(404).end();
    const early = open('0.ts', 'prefetch');
    await early.settled;
    early.release();
    rig.server.trick = () => false;
    await load('0.ts');
    expect(rig.paths).toHaveLength(2);
  });

  it('keeps what was used last when there is no room for more', async () => {
    rig = await PoolRig.start({ pool: { maxBytes: 1_000_000 } });
    for (const id of ['a', 'b', 'c']) await load(id);
    open('a').release();
    await load('d');
    expect(['a', 'b', 'c', 'd'].map((id) => rig.pool.has(id))).toEqual([true, false, true, true]);
    expect(rig.pool.stats).toMatchObject({ entries: 3, bytes: 900_000, evictions: 1 });
  });

  it('keeps what somebody holds, and stays below its limit all the same', async () => {
    rig = await PoolRig.start({ pool: { maxBytes: 1_000_000 } });
    const held = ['a', 'b', 'c'].map((id) => open(id));
    await Promise.all(held.map((media) => media.whole()));
    const tooMuch = open('d');
    await expect(tooMuch.whole()).rejects.toThrow(/raise pull.memoryMb/);
    tooMuch.release();
    expect(rig.pool.stats.bytes).toBeLessThanOrEqual(1_000_000);
    expect(['a', 'b', 'c', 'd'].map((id) => rig.pool.has(id))).toEqual([true, true, true, false]);
    held[1]!.release();
    await load('e');
    expect(rig.pool.has('b')).toBe(false);
  });

  it('gives up what is only fetched ahead for what somebody waits for', async () => {
    rig = await PoolRig.start({ pool: { maxBytes: 500_000 } });
    rig.hold({ after: 250_000, only: /ahead/ });
    const ahead = open('ahead', 'prefetch');
    await ahead.ready();
    await until('a part of it', () => ahead.loadedBytes === 250_000);
    await load('asked');
    await ahead.settled;
    expect([rig.pool.has('ahead'), rig.pool.has('asked')]).toEqual([false, true]);
    expect(rig.pool.stats).toMatchObject({ wastedBytes: 250_000, failures: 0 });
  });

  it('forgets what nobody used for a while', async () => {
    const clock = new ManualClock();
    rig = await PoolRig.start({ clock, pool: { ttlMs: 60_000 } });
    await load('a');
    const held = open('b');
    await held.whole();
    clock.advance(40_000);
    open('a').release();
    clock.advance(40_000);
    expect([rig.pool.has('a'), rig.pool.has('b')]).toEqual([true, true]);
    clock.advance(60_000);
    expect([rig.pool.has('a'), rig.pool.has('b')]).toEqual([false, true]);
    held.release();
    clock.advance(65_000);
    expect(rig.pool.stats).toMatchObject({ entries: 0, bytes: 0, evictions: 0 });
  });

  it('drops everything that nobody uses when the process is short of memory', async () => {
    const clock = new ManualClock();
    let isShort = false;
    rig = await PoolRig.start({ clock, pool: { isMemoryShort: () => isShort } });
    for (const id of ['a', 'b']) await load(id);
    const held = open('c');
    await held.whole();
    expect(rig.pool.isShort).toBe(false);
    isShort = true;
    clock.advance(5_000);
    expect(['a', 'b', 'c'].map((id) => rig.pool.has(id))).toEqual([false, false, true]);
    expect([rig.pool.isShort, rig.pool.stats.evictions]).toEqual([true, 2]);
  });

  it('does so at once when something more comes in', async () => {
    const clock = new ManualClock();
    let isShort = false;
    rig = await PoolRig.start({ clock, pool: { isMemoryShort: () => isShort } });
    for (const id of ['a', 'b']) await load(id);
    isShort = true;
    clock.advance(1_000);
    expect([rig.pool.has('a'), rig.pool.has('b')]).toEqual([true, true]);
    const held = open('c');
    expect((await held.whole()).length).toBe(rig.bytes.length);
    expect(['a', 'b', 'c'].map((id) => rig.pool.has(id))).toEqual([false, false, true]);
  });

  it('tells what was fetched ahead, and what of it for nothing', async () => {
    const clock = new ManualClock();
    rig = await PoolRig.start({ clock });
    const counters = { prefetched: 0, wastedBytes: 0 };
    for (const id of ['a', 'b']) {
      const media = rig.pool.open(rig.item(id), rig.fetcher, { priority: 'prefetch', counters });
      await media.settled;
      media.release();
    }
    await load('a');
    clock.advance(70_000);
    expect(counters).toEqual({ prefetched: 2, wastedBytes: rig.bytes.length });
    expect(rig.pool.stats).toMatchObject({ prefetched: 2, wastedBytes: rig.bytes.length, hits: 1, misses: 0 });
  });

  it('ends everything when it is closed', async () => {
    rig = await PoolRig.start();
    rig.hold();
    const media = open('0.ts');
    await media.ready();
    const refused = expect(media.whole()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await Promise.all([rig.pool.close(), rig.pool.close()]);
    await refused;
    expect(() => open('0.ts')).toThrow(/closed/);
    expect(rig.pool.stats).toMatchObject({ entries: 0, bytes: 0, inFlight: 0 });
  });
});
