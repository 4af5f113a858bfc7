import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { MediaFile } from '../../../src/hls/media-file.ts';
import { plainTitle, type PoolRig, poolRig, segmentBytes } from '../../support/vod-pool-rig.ts';

const { signal } = new AbortController();
let rig: PoolRig;

afterEach(() => rig.close());

async function contentOf(file: MediaFile): Promise<string> {
  return String('bytes' in file ? file.bytes : await readFile(file.path));
}

function text(index: number, first: number): string {
  return String(segmentBytes('360p', index, first));
}

describe('RenditionPool', () => {
  it('encodes what is asked for and a little more, then waits until the viewer has come nearer', async () => {
    rig = await poolRig();
    const viewer = rig.open();
    const wanted = viewer.segment(3, signal);
    const head = await rig.head(0);
    expect([head.first, head.request.end]).toEqual([3, 20]);
    head.make(7);
    expect(await contentOf(await wanted)).toBe(text(3, 3));
    await rig.encoded(viewer, 5);
    expect([viewer.progress().heads[0], head.isPaused]).toEqual([{ next: 8, end: 20, state: 'paused' }, true]);
    expect(await contentOf(await viewer.segment(4, signal))).toBe(text(4, 3));
    expect(head.isPaused).toBe(false);
    expect(rig.pool.report()).toMatchObject({ headsStarted: 1, segmentsEncoded: 5, hits: 1 });
  });

  it('pauses an encoder that is far enough ahead even if it still makes a little', async () => {
    rig = await poolRig({ aheadSegments: 1 });
    const viewer = rig.open();
    const wanted = viewer.segment(0, signal);
    const head = await rig.head(0);
    head.make(3);
    await wanted;
    await rig.encoded(viewer, 4);
    expect(head.isPaused).toBe(true);
    await viewer.segment(1, signal);
    expect(head.isPaused).toBe(true);
    await viewer.segment(3, signal);
    expect(head.isPaused).toBe(false);
  });

  it('answers what is cached without starting anything', async () => {
    rig = await poolRig({ segments: 3 });
    const viewer = rig.open();
    const wanted = viewer.segment(0, signal);
    (await rig.head(0)).make(2);
    await wanted;
    await rig.encoded(viewer, 3);
    rig = await rig.restart();
    const second = rig.open();
    expect(await contentOf(await second.init(signal))).toBe('init');
    for (const index of [2, 0, 1]) expect(await contentOf(await second.segment(index, signal))).toBe(text(index, 0));
    expect(rig.pool.report()).toMatchObject({ headsStarted: 0, segmentsEncoded: 0, hits: 3, running: 0, waiting: 0 });
    expect(second.progress()).toMatchObject({ encoded: 3, heads: [] });
  });

  it('lets all viewers of a rendition share one encoder', async () => {
    rig = await poolRig();
    const viewers = [rig.open(), rig.open(), rig.open()];
    const answers = viewers.map((viewer) => viewer.segment(5, signal));
    const inits = viewers.map((viewer) => viewer.init(signal));
    const head = await rig.head(0);
    head.make(5);
    expect(await Promise.all((await Promise.all(answers)).map(contentOf))).toEqual(Array(3).fill(text(5, 5)));
    expect(await Promise.all((await Promise.all(inits)).map(contentOf))).toEqual(Array(3).fill('init'));
    expect(rig.heads).toHaveLength(1);
  });

  it('gives other renditions and titles encoders of their own', async () => {
    rig = await poolRig();
    const others = [rig.open(), rig.open({ name: '720p' }), rig.open({ title: plainTitle(20, 'other') })];
    const answers = others.map((viewer) => viewer.segment(0, signal));
    for (const number of [0, 1, 2]) (await rig.head(number)).make(0);
    await Promise.all(answers);
    expect(rig.heads.map(({ request }) => [request.title.source.label, request.rendition.name]).sort()).toEqual([
      ['film', '360p'],
      ['film', '720p'],
      ['other', '360p'],
    ]);
  });

  it('waits for an encoder that is about to make the segment', async () => {
    rig = await poolRig();
    const [one, other] = [rig.open(), rig.open()];
    const first = one.segment(0, signal);
    const head = await rig.head(0);
    const next = other.segment(1, signal);
    head.make(0);
    await first;
    head.make(1);
    expect(await contentOf(await next)).toBe(text(1, 0));
    expect(rig.heads).toHaveLength(1);
  });

  it('starts a second encoder for a seek, and lets the first one end where that begins', async () => {
    rig = await poolRig();
    const [one, other] = [rig.open(), rig.open()];
    const near = one.segment(0, signal);
    const head = await rig.head(0);
    const far = other.segment(4, signal);
    const second = await rig.head(1);
    expect([second.first, second.request.end]).toEqual([4, 20]);
    second.make(4);
    await far;
    head.make(2);
    await near;
    expect(head.isClosed).toBe(false);
    await one.segment(2, signal);
    head.make(3);
    await rig.encoded(one, 5);
    expect([head.isClosed, second.isClosed]).toEqual([true, false]);
    expect(await contentOf(await one.segment(4, signal))).toBe(text(4, 4));
  });

  it('waits for a quick encoder rather than start another', async () => {
    rig = await poolRig({ aheadSegments: 20 });
    const viewer = rig.open();
    const first = viewer.segment(0, signal);
    const head = await rig.head(0);
    rig.clock.advance(200);
    head.make(0);
    await first;
    const later = viewer.segment(6, signal);
    await rig.wanted(1);
    head.make(6);
    expect(await contentOf(await later)).toBe(text(6, 0));
    expect(rig.heads).toHaveLength(1);
  });

  it('starts another encoder rather than wait for a slow one', async () => {
    rig = await poolRig({ aheadSegments: 20 });
    const viewer = rig.open();
    const first = viewer.segment(0, signal);
    const head = await rig.head(0);
    rig.clock.advance(2_000);
    head.make(0);
    await first;
    const later = viewer.segment(4, signal);
    (await rig.head(1)).make(4);
    expect(await contentOf(await later)).toBe(text(4, 4));
  });

  it('encodes only the gap between what is there', async () => {
    rig = await poolRig();
    const viewer = rig.open();
    const late = viewer.segment(10, signal);
    (await rig.head(0)).make(11);
    await late;
    const early = viewer.segment(2, signal);
    const head = await rig.head(1);
    expect([head.first, head.request.end]).toEqual([2, 10]);
    head.make(9);
    head.end();
    await early;
    await rig.encoded(viewer, 10);
    expect(await contentOf(await viewer.segment(10, signal))).toBe(text(10, 10));
    expect(rig.heads).toHaveLength(2);
  });

  it('makes no run longer than one command line takes', async () => {
    rig = await poolRig({ segments: 1_000 });
    void rig
      .open()
      .segment(100, signal)
      .catch(() => undefined);
    const head = await rig.head(0);
    expect([head.first, head.request.end]).toEqual([100, 300]);
  });

  it('begins where the viewer is expected when only the init is asked for', async () => {
    rig = await poolRig();
    const viewer = rig.open({ startAt: 7 });
    const init = viewer.init(signal);
    const head = await rig.head(0);
    expect(head.first).toBe(7);
    head.begin();
    expect(await contentOf(await init)).toBe('init');
    const segment = viewer.segment(7, signal);
    head.make(7);
    expect(await contentOf(await segment)).toBe(text(7, 7));
    expect(rig.heads).toHaveLength(1);
  });

  it('ends encoders that nobody has needed for a while, and keeps what they made', async () => {
    rig = await poolRig();
    const viewer = rig.open();
    const wanted = viewer.segment(0, signal);
    const head = await rig.head(0);
    head.make(4);
    await wanted;
    await rig.encoded(viewer, 5);
    rig.clock.advance(29_000);
    expect(head.isClosed).toBe(false);
    rig.clock.advance(2_000);
    expect(head.isClosed).toBe(true);
    expect(await contentOf(await viewer.segment(4, signal))).toBe(text(4, 0));
    const next = viewer.segment(5, signal);
    (await rig.head(1)).make(5);
    expect(await contentOf(await next)).toBe(text(5, 5));
  });

  it('leaves an encoder that a viewer seeked away from paused, whatever it still had to do', async () => {
    rig = await poolRig();
    const viewer = rig.open();
    const away = new AbortController();
    const wanted = viewer.segment(0, away.signal);
    const head = await rig.head(0);
    expect(head.isPaused).toBe(false);
    away.abort();
    await expect(wanted).rejects.toMatchObject({ code: 'GONE' });
    expect([head.isPaused, head.isClosed]).toEqual([true, false]);
    const again = viewer.segment(0, signal);
    await rig.wanted(1);
    expect(head.isPaused).toBe(false);
    head.make(0);
    expect(await contentOf(await again)).toBe(text(0, 0));
    expect(rig.heads).toHaveLength(1);
  });

  it('keeps the entry for a while after the last viewer has gone, then gives it back', async () => {
    rig = await poolRig({ segments: 2 });
    const viewer = rig.open();
    const wanted = viewer.segment(0, signal);
    const head = await rig.head(0);
    head.make(0);
    await wanted;
    await rig.encoded(viewer, 1);
    viewer.release();
    expect(head.isPaused).toBe(true);
    const isPinned = (): boolean => rig.cache.report().entries[0]!.isPinned;
    rig.clock.advance(29_000);
    expect(isPinned()).toBe(true);
    rig.clock.advance(3_000);
    expect(head.isClosed).toBe(true);
    // Whoever comes while the old one ends waits for that.
    const next = rig.open();
    expect(await contentOf(await next.segment(0, signal))).toBe(text(0, 0));
    expect(rig.heads).toHaveLength(1);
    next.release();
  });

  it('refuses segments that there are none of', async () => {
    rig = await poolRig();
    const viewer = rig.open();
    for (const index of [-1, 20, 1.5, Number.NaN]) {
      await expect(viewer.segment(index, signal)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    expect(rig.heads).toHaveLength(0);
  });

  it('ends everything when it is closed', async () => {
    rig = await poolRig();
    const viewer = rig.open();
    const wanted = viewer.segment(0, signal);
    const head = await rig.head(0);
    const closing = rig.pool.close();
    await expect(wanted).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await closing;
    expect(head.isClosed).toBe(true);
    expect(rig.pool.report()).toMatchObject({ running: 0, waiting: 0, wanted: 0 });
    await expect(viewer.segment(0, signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(() => rig.open()).toThrow(/shutting down/);
  });
});
