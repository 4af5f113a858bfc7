import { describe, expect, it } from 'vitest';
import { onReaderError } from '../../src/broadcast/reader-errors.ts';
import { BroadcasterRegistry } from '../../src/broadcast/registry.ts';
import type { Fragment } from '../../src/media/fragment.ts';
import type { TrackKey } from '../../src/media/track-key.ts';
import { fragmentAt, videoInit } from '../support/fragments.ts';

const key: TrackKey = { broadcast: 'live/demo', rendition: 'source', track: 'video' };

describe('BroadcasterRegistry', () => {
  it('tells a late subscriber which tracks are open, then which open and close', () => {
    const registry = new BroadcasterRegistry();
    const early = registry.open(key, videoInit());
    const seen: string[] = [];
    registry.opened$.subscribe((track) => seen.push(`+${track.key.rendition}`));
    registry.closed$.subscribe((track) => seen.push(`-${track.key.rendition}`));

    registry.open({ ...key, rendition: '720p' }, videoInit());
    early.close();
    early.close();

    expect(seen).toEqual(['+source', '+720p', '-source']);
    expect(registry.list().map((track) => track.key.rendition)).toEqual(['720p']);
    expect(registry.get(key)).toBeUndefined();
  });

  it('refuses a second producer of a track until the first one has closed it', () => {
    const registry = new BroadcasterRegistry();
    const first = registry.open(key, videoInit());
    expect(() => registry.open(key, videoInit())).toThrow(/has a producer already/);
    first.close();
    expect(registry.open(key, videoInit()).key).toEqual(key);
  });

  it('lists the tracks of one broadcast', () => {
    const registry = new BroadcasterRegistry();
    registry.open(key, videoInit());
    registry.open({ ...key, broadcast: 'live/other' }, videoInit());
    expect(registry.list('live/other').map((track) => track.key.broadcast)).toEqual(['live/other']);
  });

  it('hands every fragment to every reader, and nothing after the close', () => {
    const registry = new BroadcasterRegistry();
    const sink = registry.open(key, videoInit());
    const readers: Fragment[][] = [[], []];
    for (const got of readers) registry.get(key)!.fragments$.subscribe((fragment) => got.push(fragment));

    const fragments = [0, 100, 200].map((atMs) => fragmentAt({ atMs, keyframe: atMs === 0 }));
    for (const fragment of fragments) sink.emit(fragment);
    sink.close();
    sink.emit(fragmentAt({ atMs: 300 }));

    for (const got of readers) expect(got).toEqual(fragments);
  });

  it('contains a subscriber that throws: the others and the producer do not notice, and the error is reported', async () => {
    const registry = new BroadcasterRegistry();
    const sink = registry.open(key, videoInit());
    const track = registry.get(key)!;
    const reported = new Promise((resolve) => {
      const stop = onReaderError((error) => {
        stop();
        resolve(error);
      });
    });
    const got: number[] = [];
    track.fragments$.subscribe(() => {
      throw new Error('a reader fault');
    });
    track.fragments$.subscribe(({ baseDecodeTime }) => got.push(baseDecodeTime));

    sink.emit(fragmentAt({ atMs: 0, keyframe: true }));
    sink.emit(fragmentAt({ atMs: 100 }));

    expect(got).toEqual([0, 9000]);
    expect(await reported).toMatchObject({ message: 'a reader fault' });
  });

  it('keeps the current GOP for readers that join late', () => {
    const registry = new BroadcasterRegistry();
    const sink = registry.open(key, videoInit());
    const track = registry.get(key)!;
    sink.emit(fragmentAt({ atMs: 0 }));
    expect(track.currentGop).toEqual([]);
    for (const atMs of [100, 200, 300, 400]) sink.emit(fragmentAt({ atMs, keyframe: atMs % 200 === 100 }));
    expect(track.currentGop.map(({ baseDecodeTime }) => baseDecodeTime)).toEqual([27_000, 36_000]);
  });

  it('forgets a GOP that is over the limit instead of growing', () => {
    const registry = new BroadcasterRegistry();
    const sink = registry.open(key, videoInit());
    const track = registry.get(key)!;
    sink.emit(fragmentAt({ atMs: 0, keyframe: true, durationMs: 10_000 }));
    sink.emit(fragmentAt({ atMs: 10_000, durationMs: 10_000 }));
    expect(track.currentGop).toHaveLength(2);
    sink.emit(fragmentAt({ atMs: 20_000 }));
    expect(track.currentGop).toEqual([]);
    sink.emit(fragmentAt({ atMs: 20_100, keyframe: true }));
    expect(track.currentGop).toHaveLength(1);
  });
});
