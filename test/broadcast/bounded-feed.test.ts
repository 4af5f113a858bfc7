import { describe, expect, it } from 'vitest';
import { BoundedFeed } from '../../src/broadcast/bounded-feed.ts';
import { FragmentBroadcaster } from '../../src/broadcast/fragment-broadcaster.ts';
import { fragmentAt, videoInit } from '../support/fragments.ts';

const limits = { maxBytes: 1_000, maxMediaMs: 1_000 };
const never = new AbortController().signal;

function track(): FragmentBroadcaster {
  return new FragmentBroadcaster({ broadcast: 'live/demo', rendition: 'source', track: 'video' }, videoInit());
}

async function drain(feed: BoundedFeed): Promise<number[]> {
  const times: number[] = [];
  while (feed.queued > 0) times.push((await feed.next(never))!.baseDecodeTime / 90);
  return times;
}

describe('BoundedFeed', () => {
  it('gives fragments in order and waits for the next one', async () => {
    const source = track();
    const feed = new BoundedFeed(source, limits);
    const waiting = feed.next(never);
    source.emit(fragmentAt({ atMs: 0, keyframe: true }));
    source.emit(fragmentAt({ atMs: 100 }));
    expect((await waiting)?.firstPts).toBe(0);
    expect(await drain(feed)).toEqual([100]);
    expect(feed.dropped).toBe(0);
  });

  it('starts at the newest keyframe, replaying the current GOP', async () => {
    const source = track();
    for (const atMs of [0, 100, 200, 300]) source.emit(fragmentAt({ atMs, keyframe: atMs % 200 === 0 }));
    const feed = new BoundedFeed(source, limits);
    source.emit(fragmentAt({ atMs: 400 }));
    expect(await drain(feed)).toEqual([200, 300, 400]);
  });

  it('skips what comes before the first keyframe and counts it', async () => {
    const source = track();
    const feed = new BoundedFeed(source, limits);
    for (const atMs of [0, 100, 200]) source.emit(fragmentAt({ atMs, keyframe: atMs === 200 }));
    expect(await drain(feed)).toEqual([200]);
    expect(feed.dropped).toBe(2);
  });

  it('drops whole GOPs over the media limit and goes on at the newest keyframe', async () => {
    const source = track();
    const feed = new BoundedFeed(source, limits);
    for (let atMs = 0; atMs <= 1_000; atMs += 100) source.emit(fragmentAt({ atMs, keyframe: atMs % 500 === 0 }));
    expect(await drain(feed)).toEqual([1_000]);
    expect(feed.dropped).toBe(10);
  });

  it('drops everything until the next keyframe when one GOP alone is over the byte limit', async () => {
    const source = track();
    const feed = new BoundedFeed(source, limits);
    source.emit(fragmentAt({ atMs: 0, keyframe: true, size: 600 }));
    source.emit(fragmentAt({ atMs: 100, size: 400 }));
    expect(feed.queued).toBe(2);
    source.emit(fragmentAt({ atMs: 200, size: 1 }));
    expect(feed.queued).toBe(0);
    source.emit(fragmentAt({ atMs: 300 }));
    source.emit(fragmentAt({ atMs: 400, keyframe: true }));
    expect(await drain(feed)).toEqual([400]);
    expect(feed.dropped).toBe(4);
  });

  it('allows the replayed GOP on top of the limits', async () => {
    const source = track();
    source.emit(fragmentAt({ atMs: 0, keyframe: true, durationMs: 8_000 }));
    const feed = new BoundedFeed(source, limits);
    source.emit(fragmentAt({ atMs: 8_000, durationMs: 900 }));
    expect(await drain(feed)).toEqual([0, 8_000]);
  });

  it('measures media time across a jump of the timeline by durations, not by stamps', async () => {
    const source = track();
    const feed = new BoundedFeed(source, limits);
    source.emit(fragmentAt({ atMs: 0, keyframe: true }));
    source.emit(fragmentAt({ atMs: 3_600_000, keyframe: true, epoch: 1 }));
    expect(await drain(feed)).toEqual([0, 3_600_000]);
  });

  it('ends with the track after what is queued was read', async () => {
    const source = track();
    const feed = new BoundedFeed(source, limits);
    source.emit(fragmentAt({ atMs: 0, keyframe: true }));
    source.close();
    expect((await feed.next(never))?.firstPts).toBe(0);
    expect(await feed.next(never)).toBeUndefined();
    expect(await new BoundedFeed(source, limits).next(never)).toBeUndefined();
  });

  it('stops waiting when the signal aborts or the feed closes', async () => {
    const source = track();
    const feed = new BoundedFeed(source, limits);
    const abort = new AbortController();
    const aborted = feed.next(abort.signal);
    abort.abort();
    expect(await aborted).toBeUndefined();
    const closed = feed.next(never);
    feed.close();
    expect(await closed).toBeUndefined();
  });
});
