import { describe, expect, it } from 'vitest';
import { PlaylistPosition } from '../../../src/ingest/pull/playlist-position.ts';
import { ProtectedMediaError } from '../../../src/ingest/pull/protected-media.ts';
import type { SegmentDemuxer, SegmentStart } from '../../../src/ingest/pull/segment-demuxer.ts';
import { MIN_LEG_MS } from '../../../src/ingest/pull/segment-demuxer.ts';
import { SegmentReader } from '../../../src/ingest/pull/segment-reader.ts';
import { SpliceLane } from '../../../src/ingest/pull/splice-lane.ts';
import { UpstreamFailure } from '../../../src/remote/upstream-failure.ts';
import type { FollowedSegment, PlaylistSnapshot } from '../../../src/upstream/follow/playlist-snapshot.ts';
import { deferred } from '../../../src/util/deferred.ts';
import { silentLogger } from '../../../src/util/logger.ts';
import { ManualClock } from '../../support/manual-clock.ts';

interface Listed {
  readonly era?: number;
  readonly isGap?: boolean;
}

const missing = new UpstreamFailure('status', 'status 404', { status: 404 });

/** A reader of a scripted playlist; `fetch` gives the bytes of a segment's number, or throws. */
function rig(fetch: (number: number) => Buffer | Promise<Buffer> = () => Buffer.alloc(300_000, 0x47)) {
  const clock = new ManualClock();
  const stop = new AbortController();
  /** `3!` began with a break, `3` did not, `3.` ended, `leg` began. */
  const events: string[] = [];
  const useless: number[] = [];
  let version = 0;
  let snapshot: PlaylistSnapshot | undefined;
  let changed = deferred();
  const list = (from: number, segments: readonly Listed[], ended = false): void => {
    version += 1;
    const listed = segments.map(({ era = 0, isGap = false }, index) => {
      return { number: from + index, era, segment: { durationMs: 2_000, isGap } } as FollowedSegment;
    });
    const fields = { version, segments: listed, ended, isRecorded: false, targetDurationMs: 2_000, playlist: {} };
    snapshot = fields as unknown as PlaylistSnapshot;
    changed.resolve();
    changed = deferred();
  };
  let number = -1;
  const lane = new SpliceLane(
    () => clock.nowMs(),
    () => undefined,
  );
  const reader: SegmentReader = new SegmentReader({
    followed: {
      current: () => snapshot,
      next: async (after: number, signal?: AbortSignal) => {
        signal?.addEventListener('abort', () => changed.resolve(), { once: true });
        while (snapshot === undefined || snapshot.version <= after) {
          await changed.promise;
          if (signal?.aborted === true) throw new Error('aborted');
        }
        return snapshot;
      },
    },
    bytes: {
      init: () => Promise.resolve(undefined),
      pieces: async function* (segment) {
        number = segment.number;
        yield await fetch(segment.number);
      },
    },
    position: new PlaylistPosition(() => 0),
    lane,
    demuxer: (_, begin): SegmentDemuxer => ({
      beginSegment: ({ breaks }: SegmentStart) => void events.push(`${number}${breaks ? '!' : ''}`),
      push: async () => {
        if (number >= 100) await begin(['video']);
      },
      endSegment: () => Promise.resolve(void events.push(`${number}.`)),
      end: () => Promise.resolve(void events.push('end')),
      close: () => Promise.resolve(void events.push('close')),
    }),
    room: () => Promise.resolve(),
    onUseless: (segment) => useless.push(segment.number),
    onSkip: (ms) => events.push(`skip ${ms}`),
    onTrouble: () => events.push('trouble'),
    ...{ clock, logger: silentLogger, signal: stop.signal },
  });
  /** Lets everything happen that waits for no clock. */
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
  };
  return { clock, stop, events, useless, list, reader, settle };
}

describe('SegmentReader', () => {
  it('reads one segment after the other until the playlist has ended', async () => {
    const { list, reader, events, settle } = rig();
    const done = reader.run();
    list(5, [{}, {}]);
    await settle();
    expect(events).toEqual(['5!', '5.', '6', '6.']);
    list(6, [{}, {}], true);
    await done;
    expect(events.slice(4)).toEqual(['7', '7.', 'end', 'close']);
    expect([reader.segments, reader.failedSegments]).toEqual([3, 0]);
  });

  it('breaks where another era begins, also if its first segment is lost', async () => {
    const { list, reader, events } = rig((number) => {
      if (number === 2) throw new UpstreamFailure('timeout', 'too slow');
      return Buffer.alloc(1_000, 0x47);
    });
    list(0, [{ era: 7 }, { era: 7 }, { era: 8 }, { era: 8 }, { era: 8, isGap: true }, { era: 8 }], true);
    await reader.run();
    expect(events).toEqual(['0!', '0.', '1', '1.', 'trouble', '3!', '3.', '5', '5.', 'end', 'close']);
    expect([reader.segments, reader.failedSegments]).toEqual([4, 1]);
  });

  it('asks once more for a segment that is not there, if it is still listed', async () => {
    let asked = 0;
    const { list, reader, clock, settle, useless } = rig((number) => {
      if (number !== 1) return Buffer.alloc(1_000, 0x47);
      asked += 1;
      if (asked === 1) throw missing;
      return Buffer.alloc(1_000, 0x47);
    });
    list(0, [{}, {}, {}], true);
    const done = reader.run();
    await settle();
    expect(reader.segments).toBe(1);
    clock.advance(1_200);
    await done;
    expect([asked, reader.segments, reader.failedSegments, useless]).toEqual([2, 3, 0, []]);
  });

  it('does not ask again for one that is not listed any more', async () => {
    let asked = 0;
    const { list, reader, clock, settle } = rig((number) => {
      if (number !== 0) return Buffer.alloc(1_000, 0x47);
      asked += 1;
      throw missing;
    });
    list(0, [{}, {}]);
    const done = reader.run();
    await settle();
    list(1, [{}, {}], true);
    clock.advance(1_200);
    await done;
    expect([asked, reader.segments, reader.failedSegments]).toEqual([1, 2, 1]);
  });

  it('reports what came and is of no use, and only that', async () => {
    const { list, reader, useless } = rig((number) => {
      if (number === 1) throw new UpstreamFailure('network', 'it broke');
      return Buffer.from(number === 2 ? '<html>an error page</html>' : 'G'.repeat(1_000));
    });
    list(0, [{}, {}, {}, {}], true);
    await reader.run();
    expect(useless).toEqual([2]);
    expect(reader.failedSegments).toBe(2);
  });

  it('goes to the live edge when the source runs ahead, with a break', async () => {
    const held = deferred<Buffer>();
    const { list, reader, events, settle } = rig((number) => (number === 1 ? held.promise : Buffer.alloc(1_000, 0x47)));
    list(0, [{}, {}]);
    const done = reader.run();
    await settle();
    list(30, [{}, {}], true);
    held.resolve(Buffer.alloc(1_000, 0x47));
    await done;
    expect(events.slice(0, 8)).toEqual(['0!', '0.', '1', '1.', 'skip 56000', '30!', '30.', '31']);
  });

  it('begins one leg a second at most, however often the source breaks', async () => {
    const { list, reader, clock, settle, events } = rig(() => Buffer.alloc(1_000, 0x47));
    list(100, [{ era: 0 }, { era: 1 }, { era: 2 }], true);
    const done = reader.run();
    await settle();
    expect(events.at(-1)).toBe('101!');
    clock.advance(MIN_LEG_MS - 1);
    await settle();
    expect(events.at(-1)).toBe('101!');
    for (let step = 0; step < 10; step += 1) {
      clock.advance(MIN_LEG_MS / 2);
      await settle();
    }
    await done;
    expect(events.at(-1)).toBe('close');
  });

  it('gives up where nothing can be decoded', async () => {
    const { list, reader, events } = rig(() => {
      throw new ProtectedMediaError('SAMPLE-AES');
    });
    list(0, [{}, {}], true);
    await expect(reader.run()).rejects.toThrow(/SAMPLE-AES/);
    expect(events).toEqual([]);
  });

  it('ends at once when it is told to, whatever it waits for', async () => {
    const { list, reader, stop, settle, events, clock } = rig();
    list(0, [{}]);
    const done = reader.run();
    await settle();
    stop.abort();
    clock.advance(500);
    await done;
    expect(events.slice(0, 3)).toEqual(['0!', '0.', 'close']);
    expect(reader.lastError).toBeUndefined();
  });
});
