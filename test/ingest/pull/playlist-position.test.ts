import { describe, expect, it } from 'vitest';
import { PlaylistPosition } from '../../../src/ingest/pull/playlist-position.ts';
import type { FollowedSegment, PlaylistSnapshot } from '../../../src/upstream/follow/playlist-snapshot.ts';

/** A playlist of these numbers, both included, whose segments have 2 s. */
function listed(from: number, to: number, { isRecorded = false } = {}): PlaylistSnapshot {
  const segments = Array.from({ length: to - from + 1 }, (_, index) => {
    return { number: from + index, segment: { durationMs: 2_000 } } as FollowedSegment;
  });
  return { segments, isRecorded, targetDurationMs: 2_000, playlist: {} } as unknown as PlaylistSnapshot;
}

/** Reads so many segments; tells their numbers. */
function read(position: PlaylistPosition, snapshot: PlaylistSnapshot, count = Infinity): number[] {
  const numbers: number[] = [];
  for (let left = count; left > 0; left -= 1) {
    const segment = position.next(snapshot);
    if (segment === undefined) break;
    numbers.push(segment.number);
    position.passed(segment);
  }
  return numbers;
}

describe('PlaylistPosition', () => {
  it('begins three segments before the end and reads each segment once', () => {
    const position = new PlaylistPosition();
    expect(position.next(listed(0, -1))).toBeUndefined();
    expect(read(position, listed(10, 15))).toEqual([13, 14, 15]);
    expect(read(position, listed(11, 16))).toEqual([16]);
    expect(position.next(listed(11, 16))).toBeUndefined();
    expect([position.skips, position.skippedMs]).toEqual([0, 0]);
  });

  it('begins a recording at its first segment and leaves nothing of it out', () => {
    const position = new PlaylistPosition();
    expect(read(position, listed(0, 99, { isRecorded: true }))).toHaveLength(100);
    expect(position.skips).toBe(0);
  });

  it('goes on at the live edge when what comes next is not listed any more', () => {
    const position = new PlaylistPosition();
    read(position, listed(10, 15), 1);
    expect(read(position, listed(20, 25))).toEqual([23, 24, 25]);
    expect([position.skips, position.skippedMs]).toEqual([1, 18_000]);
  });

  it('bears to fall behind by half of the playlist, and not more', () => {
    const patient = new PlaylistPosition();
    read(patient, listed(10, 19), 1);
    expect(read(patient, listed(16, 25), 1)).toEqual([18]);
    const late = new PlaylistPosition();
    read(late, listed(10, 19), 1);
    expect(read(late, listed(17, 26), 1)).toEqual([24]);
    expect([late.skips, late.skippedMs]).toEqual([1, 12_000]);
  });

  it('bears no more than half a minute where the playlist is long', () => {
    const patient = new PlaylistPosition();
    read(patient, listed(0, 999), 1);
    expect(read(patient, listed(0, 1_014), 1)).toEqual([998]);
    const late = new PlaylistPosition();
    read(late, listed(0, 999), 1);
    expect(read(late, listed(0, 1_016), 1)).toEqual([1_014]);
  });

  it('bears two segments where the playlist is short', () => {
    const position = new PlaylistPosition();
    read(position, listed(10, 12), 1);
    expect(read(position, listed(11, 14), 1)).toEqual([11]);
  });

  it('goes to the live edge when it is told to, but not back', () => {
    const position = new PlaylistPosition();
    position.jump();
    read(position, listed(10, 15), 1);
    position.jump();
    expect(read(position, listed(10, 17), 1)).toEqual([15]);
    position.jump();
    expect(read(position, listed(10, 17), 1)).toEqual([16]);
    expect(position.skips).toBe(1);
  });

  it('tells how much is listed and not read', () => {
    const position = new PlaylistPosition();
    expect(position.unreadMs(listed(0, 9))).toBe(0);
    read(position, listed(0, 9), 1);
    expect(position.unreadMs(listed(0, 9))).toBe(4_000);
    expect(position.unreadMs(undefined)).toBe(0);
  });
});
