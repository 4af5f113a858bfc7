import { Judge, notApplicable, notCheckable, type Rule } from '../judge.ts';
import { type Attributes, decimal } from '../m3u8/attribute-list.ts';
import type { CheckRecord } from '../record.ts';
import { hasParts } from '../record.ts';

const NO_PARTS = 'no playlist has parts: this is not a low-latency stream';

/** Every version's EXT-X-SERVER-CONTROL, with what its limits depend on. */
function controls({ playlists }: CheckRecord) {
  return playlists.flatMap(({ name, versions }) =>
    versions.map(({ playlist }) => ({
      name,
      control: playlist.serverControl,
      targetDurationS: playlist.targetDurationS ?? 0,
      ended: playlist.ended,
    })),
  );
}

function largestPartTargetS({ playlists }: CheckRecord): number {
  return Math.max(0, ...playlists.flatMap(({ versions }) => versions.map(({ playlist }) => playlist.partTargetS ?? 0)));
}

const partHoldBack: Rule = {
  id: 'L2',
  title: 'PART-HOLD-BACK is at least 3 part targets',
  check(record) {
    if (!hasParts(record)) return notApplicable(NO_PARTS);
    const judge = new Judge();
    const largestS = largestPartTargetS(record);
    for (const { name, control } of controls(record)) {
      const holdBackS = decimal(control?.get('PART-HOLD-BACK'));
      judge.expect(holdBackS !== undefined, () => `${name}: ${describe(control)} has no PART-HOLD-BACK`);
      if (holdBackS === undefined) continue;
      const said = `${name}: PART-HOLD-BACK=${holdBackS} is less than 3 x the largest PART-TARGET, ${largestS}`;
      judge.expect(holdBackS >= 3 * largestS - 1e-6, () => said);
    }
    return judge.finding('no version was seen');
  },
};

const holdBack: Rule = {
  id: 'L3',
  title: 'HOLD-BACK is at least 3 target durations, CAN-SKIP-UNTIL at least 6',
  check(record) {
    const judge = new Judge();
    for (const { name, control, targetDurationS } of controls(record)) {
      for (const [attribute, factor] of [
        ['HOLD-BACK', 3],
        ['CAN-SKIP-UNTIL', 6],
      ] as const) {
        const text = control?.get(attribute);
        if (text === undefined) continue;
        const leastS = factor * targetDurationS;
        const said = `${name}: ${attribute}=${text} is less than ${factor} x TARGETDURATION:${targetDurationS}`;
        judge.expect((decimal(text) ?? -1) >= leastS, () => said);
      }
    }
    if (controls(record).every(({ control }) => control === undefined)) {
      return notApplicable('no playlist has EXT-X-SERVER-CONTROL');
    }
    return judge.finding('EXT-X-SERVER-CONTROL has neither HOLD-BACK nor CAN-SKIP-UNTIL');
  },
};

const sameControl: Rule = {
  id: 'L4',
  title: 'EXT-X-SERVER-CONTROL is the same in all media playlists',
  check(record) {
    const judge = new Judge();
    const sets = record.playlists.map(({ name, versions }) => ({
      name,
      said: [...new Set(versions.map(({ playlist }) => describe(playlist.serverControl)))].toSorted().join(' and '),
    }));
    const [first] = sets;
    if (sets.length < 2 || first === undefined) return notApplicable('there is one media playlist only');
    for (const { name, said } of sets) {
      judge.expect(said === first.said, () => `${first.name}: ${first.said}; ${name}: ${said}`);
    }
    return judge.finding('no version was seen');
  },
};

function describe(control: Attributes | undefined): string {
  if (control === undefined) return 'no EXT-X-SERVER-CONTROL';
  const attributes = [...control].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}=${value}`);
  return `EXT-X-SERVER-CONTROL:${attributes.join(',')}`;
}

const roundTrips: Rule = {
  id: 'L5',
  title: 'PART-TARGET is at least the 95th percentile of round trips',
  check(record) {
    if (!hasParts(record)) return notApplicable(NO_PARTS);
    const sorted = record.roundTripsMs.toSorted((a, b) => a - b);
    const p95 = sorted[Math.ceil(sorted.length * 0.95) - 1];
    if (p95 === undefined) return notCheckable('no round trip could be measured');
    const judge = new Judge();
    const targetMs = 1_000 * largestPartTargetS(record);
    const figure = `round trips p95 ${p95.toFixed(1)} ms of ${sorted.length}, PART-TARGET ${targetMs} ms`;
    judge.note(figure);
    judge.expect(targetMs >= p95, () => figure);
    judge.recommend(targetMs >= 3 * p95, () => `${figure}; it should be 3 x that`);
    return judge.finding('no round trip could be measured');
  },
};

/** Rules about what the server declares. */
export const CONTROL_RULES: readonly Rule[] = [partHoldBack, holdBack, sameControl, roundTrips];
