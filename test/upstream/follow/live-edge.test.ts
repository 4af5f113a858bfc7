import { describe, expect, it } from 'vitest';
import { Continuity } from '../../../src/upstream/follow/continuity.ts';
import { DiscontinuityShifts } from '../../../src/upstream/follow/discontinuity-shifts.ts';
import { liveEdge } from '../../../src/upstream/follow/live-edge.ts';
import { SnapshotBuilder } from '../../../src/upstream/follow/snapshot-builder.ts';
import { listed, type Listed } from './listed.ts';

function edgeOf(options: Partial<Listed>): number {
  const playlist = listed({ first: 100, ...options });
  const continuity = new Continuity({ shifts: new DiscontinuityShifts(), firstEra: 1 });
  continuity.apply(playlist, { index: 0, switches: 0, hasStalled: false });
  return liveEdge(new SnapshotBuilder('u0/v0').build(continuity, playlist, { ended: playlist.ended }));
}

describe('where to begin with a playlist', () => {
  it.each([
    { what: '3 segments before the end of a live one', options: {}, index: 3 },
    { what: 'the first segment of a short one', options: { count: 2 }, index: 0 },
    { what: 'nowhere in an empty one', options: { count: 0 }, index: 0 },
    { what: 'the first segment of a recording', options: { tail: ['#EXT-X-ENDLIST'] }, index: 0 },
    { what: 'HOLD-BACK before the end', options: { head: ['#EXT-X-SERVER-CONTROL:HOLD-BACK=7'] }, index: 2 },
    { what: 'where EXT-X-START says, from the end', options: { head: ['#EXT-X-START:TIME-OFFSET=-4'] }, index: 4 },
    { what: 'where EXT-X-START says, from the start', options: { head: ['#EXT-X-START:TIME-OFFSET=3'] }, index: 1 },
    { what: 'the last segment at most', options: { head: ['#EXT-X-START:TIME-OFFSET=300'] }, index: 5 },
    {
      what: 'where EXT-X-START says in a recording',
      options: { head: ['#EXT-X-START:TIME-OFFSET=-4'], tail: ['#EXT-X-ENDLIST'] },
      index: 4,
    },
  ])('is $what', ({ options, index }) => {
    expect(edgeOf(options)).toBe(index);
  });
});
