import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Continuity } from '../../../src/upstream/follow/continuity.ts';
import { DiscontinuityShifts } from '../../../src/upstream/follow/discontinuity-shifts.ts';
import { SnapshotBuilder } from '../../../src/upstream/follow/snapshot-builder.ts';
import { listed } from './listed.ts';

/** What a server does between two loads; all its segments have a place of their own in its timeline. */
const step = fc.record({
  advance: fc.integer({ min: -3, max: 12 }),
  count: fc.integer({ min: 0, max: 8 }),
  /** A jump of its sequence numbers. */
  renumber: fc.option(fc.integer({ min: 0, max: 600 }), { freq: 8, nil: undefined }),
  restart: fc.boolean(),
  index: fc.constantFrom(0, 0, 0, 0, 1),
  hasStalled: fc.boolean(),
  breakEvery: fc.constantFrom(0, 0, 4),
  token: fc.string({ maxLength: 3, unit: fc.constantFrom('a', 'b', 'c') }),
});

describe('our numbers, whatever a server does', () => {
  it('are consecutive, never go back, and with dates belong to the same bytes for ever', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), fc.boolean(), (steps, hasDates) => {
        const continuity = new Continuity({ shifts: new DiscontinuityShifts(), firstEra: 1 });
        const bytes = new Map<string, string>();
        let [place, shift, run, last, index, switches, most] = [100, 0, 0, -1, 0, 0, 0];
        for (const now of steps) {
          if (now.restart) run += 1;
          if (now.restart) [place, shift] = [now.count, 0];
          if (now.renumber !== undefined) shift = now.renumber - place;
          place = Math.max(0, -shift, place + now.advance);
          if (now.index !== index) switches += 1;
          index = now.index;
          most = Math.max(most, now.count);
          const playlist = listed({
            ...{ first: place + shift, count: now.count },
            uri: (number) => `/live/${index}-${run}-${number - shift}.ts?t=${now.token}`,
            tags: (number) =>
              now.breakEvery > 0 && (number - shift) % now.breakEvery === 0 ? ['#EXT-X-DISCONTINUITY'] : [],
            ...(hasDates && { dateMs: 1_700_000_000_000 + run * 10_000_000 + place * 2_000 }),
          });
          continuity.apply(playlist, { index, switches, hasStalled: now.hasStalled });
          const known = continuity.segments;
          expect(known.length).toBeLessThanOrEqual(most);
          for (const [at, one] of known.entries()) {
            const before = known[at - 1];
            if (before === undefined) continue;
            expect(one.number).toBe(before.number + 1);
            expect(one.era).toBe(before.era + (one.discontinuity ? 1 : 0));
            expect(one.discontinuitySequence > before.discontinuitySequence).toBe(one.discontinuity);
          }
          const newest = known.at(-1)?.number ?? last;
          expect(newest).toBeGreaterThanOrEqual(last);
          last = newest;
          // Without dates nothing tells another timeline with the same numbers from another session of this one.
          for (const { era, number, segment } of hasDates ? known : []) {
            const path = segment.uri.pathname;
            expect(bytes.get(`${era}-${number}`) ?? path).toBe(path);
            bytes.set(`${era}-${number}`, path);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('cost little in the longest of playlists', () => {
    const continuity = new Continuity({ shifts: new DiscontinuityShifts(), firstEra: 1 });
    const builder = new SnapshotBuilder('u0/v0');
    const startMs = performance.now();
    for (let first = 0; first < 3; first++) {
      const playlist = listed({ first, count: 20_000, uri: (number) => `${number}.ts?token=${first}` });
      continuity.apply(playlist, { index: 0, switches: 0, hasStalled: false });
      builder.build(continuity, playlist, { ended: false });
    }
    expect(continuity.segments).toHaveLength(20_000);
    expect(performance.now() - startMs).toBeLessThan(5_000);
  });
});
