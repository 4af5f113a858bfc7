import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Publication } from '../../src/ingest/publication.ts';
import type { Fragment } from '../../src/media/fragment.ts';
import { StubSlates } from '../support/stub-slates.ts';
import { publishersRig, send } from '../support/publishers-rig.ts';

type Step =
  | { readonly type: 'publish' }
  | { readonly type: 'kick' }
  | { readonly type: 'end'; readonly which: number }
  | { readonly type: 'send'; readonly which: number; readonly frames: string }
  | { readonly type: 'wait'; readonly ms: number };

/** Mostly the newest publisher. */
const which = fc.constantFrom(0, 0, 0, 1, 2);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ type: 'publish' } as const) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('end' as const), which }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('send' as const),
      which,
      frames: fc.constantFrom('v a', 'v', 'a', 'v-', 'v- a'),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('wait' as const), ms: fc.constantFrom(20, 100, 1_100, 2_600, 6_000) }),
  },
  { weight: 1, arbitrary: fc.constant({ type: 'kick' } as const) },
);

const graceMs = 5_000;
const isSlate = ({ init }: Fragment): boolean => init.bytes.toString().startsWith('slate');

/** Everything that happens to one broadcast, with media times that follow the clock of each publisher. */
async function play(steps: readonly Step[], takeover: 'always' | 'when-silent'): Promise<void> {
  const rig = publishersRig({ graceMs, slate: true, slates: new StubSlates(), takeover });
  const { publishers, publish, clock, fragments, registry } = rig;
  const publications: { readonly publication: Publication; readonly sinceMs: number }[] = [];
  for (const next of steps) {
    const chosen = 'which' in next ? publications.at(-1 - next.which) : undefined;
    if (next.type === 'publish') {
      await publish('x').then(
        (publication) => publications.push({ publication, sinceMs: clock.nowMs() }),
        (error: unknown) => expect(error).toMatchObject({ code: 'BUSY' }),
      );
    } else if (next.type === 'kick') {
      const known = publishers.list().length + publishers.waiting().length > 0;
      expect(publishers.kick('live/demo')).toBe(known);
    } else if (next.type === 'wait') {
      for (let left = next.ms; left > 0; left -= 100) {
        await setImmediate();
        clock.advance(Math.min(100, left));
      }
    } else if (next.type === 'end') {
      chosen?.publication.end();
    } else if (chosen !== undefined) {
      const atMs = clock.nowMs() - chosen.sinceMs;
      send(
        chosen.publication,
        next.frames.replace(/[va]/g, (kind) => `${kind}${atMs}`),
      );
    }
    const waits = publishers.waiting().length;
    expect(publishers.list().length + waits).toBeLessThanOrEqual(1);
    if (waits === 1) expect(registry.list()).not.toEqual([]);
    if (publishers.list().length + waits === 0) expect(registry.list()).toEqual([]);
  }
  await publishers.close();
  expect(registry.list()).toEqual([]);
  expect(clock.pending).toBe(0);
  checkOrder(fragments);
}

function checkOrder(fragments: readonly Fragment[]): void {
  const writers = new Map<number, boolean>();
  for (const kind of ['video', 'audio']) {
    const track = fragments.filter(({ init }) => init.kind === kind);
    for (const [index, fragment] of track.entries()) {
      const before = track[index - 1];
      if (before?.epoch === fragment.epoch) expect(fragment.baseDecodeTime).toBeGreaterThan(before.baseDecodeTime);
      else expect([fragment.keyframe, fragment.epoch > (before?.epoch ?? -1)]).toEqual([true, true]);
      expect(writers.get(fragment.epoch) ?? isSlate(fragment)).toBe(isSlate(fragment));
      writers.set(fragment.epoch, isSlate(fragment));
    }
  }
}

describe('publishers and slate, in any order,', () => {
  it.each(['always', 'when-silent'] as const)(
    'never share an epoch, go forwards only, and leave nothing behind (takeover %s)',
    async (takeover) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => play(steps, takeover)),
        { numRuns: 200 },
      );
    },
  );
});
