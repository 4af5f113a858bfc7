import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { audioFrames, audioInit, videoFrames, videoInit } from '../support/hls-fragments.ts';
import { HlsStage } from '../support/hls-stage.ts';

const source = videoInit({ width: 1920, height: 1080 });
const rung = videoInit({ bytes: Buffer.from('rung') });
const aac = audioInit();

/** A segment with everything that applies to it, as a player sees it. */
interface SeenSegment {
  readonly msn: number;
  readonly uri: string;
  readonly durationS: number;
  readonly map: string;
  readonly gap: boolean;
  readonly discontinuities: number;
  readonly dateMs: number;
}

interface SeenPlaylist {
  readonly msn: number;
  readonly discontinuities: number;
  readonly targetDuration: number;
  /** Parts by segment number. */
  readonly parts: Map<number, string[]>;
  readonly segments: SeenSegment[];
  readonly ended: boolean;
}

/** Reads a playlist; of a delta update, what was left out is taken from an older version. */
function read(text: string, older?: SeenPlaylist): SeenPlaylist {
  const header = (tag: string): number => Number(new RegExp(`#EXT-X-${tag}:(?:.*=)?(\\d+)`).exec(text)?.[1] ?? 0);
  const msn = header('MEDIA-SEQUENCE');
  const skipped = header('SKIP');
  const kept = older?.segments.filter((segment) => segment.msn >= msn && segment.msn < msn + skipped) ?? [];
  expect(kept).toHaveLength(skipped);
  const segments = [...kept];
  const parts = new Map<number, string[]>();
  const last = kept.at(-1);
  let discontinuities = last?.discontinuities ?? header('DISCONTINUITY-SEQUENCE');
  let dateMs = last === undefined ? Number.NaN : last.dateMs + last.durationS * 1000;
  let map = last?.map ?? '';
  let gap = false;
  let durationS = 0;
  for (const line of text.split('\n')) {
    const next = msn + segments.length;
    if (line === '#EXT-X-DISCONTINUITY') discontinuities += 1;
    else if (line.startsWith('#EXT-X-MAP')) map = line;
    else if (line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) dateMs = Date.parse(line.slice(25));
    else if (line === '#EXT-X-GAP') gap = true;
    else if (line.startsWith('#EXT-X-PART:')) parts.set(next, [...(parts.get(next) ?? []), line]);
    else if (line.startsWith('#EXTINF:')) durationS = parseFloat(line.slice(8));
    else if (line !== '' && !line.startsWith('#')) {
      segments.push({ msn: next, uri: line, durationS, map, gap, discontinuities, dateMs });
      dateMs += durationS * 1000;
      gap = false;
    }
  }
  const ended = text.endsWith('#EXT-X-ENDLIST\n');
  const targetDuration = header('TARGETDURATION');
  return { msn, discontinuities: header('DISCONTINUITY-SEQUENCE'), targetDuration, parts, segments, ended };
}

/** Everything but the date, which is told once and then extrapolated: a millisecond may be lost. */
function facts(segment: SeenSegment): unknown {
  return { ...segment, dateMs: 0 };
}

/** What may change from a version to the next (section 6.2.1): rows go at the head and come at the end, parts go with age. */
function expectOnlyAllowedChanges(before: SeenPlaylist, after: SeenPlaylist): void {
  expect(after.targetDuration).toBe(before.targetDuration);
  expect(after.msn).toBeGreaterThanOrEqual(before.msn);
  const stay = before.segments.filter(({ msn }) => msn >= after.msn);
  expect(after.segments.slice(0, stay.length).map(facts)).toEqual(stay.map(facts));
  const removed = before.segments.filter(({ msn }) => msn < after.msn).at(-1);
  const lostAll = removed !== undefined && stay.length === 0;
  if (removed !== undefined && !lostAll) {
    const first = stay[0]!;
    const countsFirst = first.discontinuities > removed.discontinuities ? 1 : 0;
    expect(after.discontinuities).toBe(first.discontinuities - countsFirst);
  }
  const listedFrom = Math.min(...after.parts.keys());
  for (const [msn, parts] of before.parts) {
    const now = after.parts.get(msn);
    if (now === undefined) expect(msn).toBeLessThan(listedFrom);
    else expect(now.slice(0, parts.length)).toEqual(parts);
  }
}

/** One stretch of a broadcast. */
interface Stretch {
  readonly seconds: number;
  readonly gop: number;
  /** Seconds for which the rung's encoder is dead at the end of the stretch. */
  readonly deadS: number;
  readonly awayS: number;
}

const stretches = fc.array(
  fc.record({
    seconds: fc.integer({ min: 1, max: 14 }),
    gop: fc.constantFrom(0.5, 1, 1.5, 2),
    deadS: fc.constantFrom(0, 0, 0, 1, 4, 9),
    awayS: fc.constantFrom(0, 0.3, 3, 12),
  }),
  { minLength: 1, maxLength: 6 },
);

/** Plays the stretches, each an epoch, and looks at both playlists again and again. */
function watch(plan: readonly Stretch[], look: (stage: HlsStage) => void): HlsStage {
  const stage = new HlsStage({ windowSegments: 12 });
  stage.open('source', source);
  stage.open('source', aac);
  stage.open('audio', aac);
  stage.open('rung', rung);
  let startMs = 0;
  for (const [epoch, { seconds, gop, deadS, awayS }] of plan.entries()) {
    const span = { epoch, to: seconds, keyframes: gop, lateMs: startMs };
    const rows = {
      source: videoFrames({ init: source, fps: 10, ...span }),
      'source#audio': audioFrames({ init: aac, ...span }),
      audio: audioFrames({ init: aac, ...span, lateMs: startMs + 5 }),
      rung: videoFrames({ init: rung, fps: 10, ...span, to: Math.max(0, seconds - deadS), lateMs: startMs + 80 }),
    };
    for (let fromMs = 0; fromMs < seconds * 1000 + 200; fromMs += 370) {
      const slice = Object.entries(rows).map(([name, row]) => [
        name,
        row.filter(({ ingestedAtMs }) => {
          const atMs = ingestedAtMs - startMs - stage.startMs;
          return atMs >= fromMs && atMs < fromMs + 370;
        }),
      ]);
      stage.play(Object.fromEntries(slice) as typeof rows);
      look(stage);
    }
    stage.clock.advance(awayS * 1000);
    look(stage);
    startMs = stage.clock.nowMs() - stage.startMs + 10;
  }
  return stage;
}

const TRACKS = [
  ['rung', 'video'],
  ['audio', 'audio'],
] as const;

describe('successive versions of a playlist', () => {
  it('differ only by what the protocol allows, and a delta update gives the very same as a full one', () => {
    fc.assert(
      fc.property(stretches, fc.integer({ min: 1, max: 9 }), (plan, staleness) => {
        const seen = new Map<string, SeenPlaylist[]>(TRACKS.map(([name]) => [name, []]));
        watch(plan, (stage) => {
          for (const [name, track] of TRACKS) {
            const text = stage.playlist(name, track);
            if (text === undefined) continue;
            const full = read(text);
            const versions = seen.get(name)!;
            const before = versions.at(-1);
            if (before !== undefined) expectOnlyAllowedChanges(before, full);
            const older = versions.at(-staleness) ?? versions[0] ?? full;
            // A player may use an update for what it saw half a skip boundary ago, with our longest pause more.
            const delta = read(stage.playlist(name, track, { skip: true }) ?? '', older);
            expect(delta.segments.map(facts)).toEqual(full.segments.map(facts));
            expect([delta.msn, delta.discontinuities]).toEqual([full.msn, full.discontinuities]);
            expect([...delta.parts]).toEqual([...full.parts]);
            for (const [index, { dateMs }] of delta.segments.entries()) {
              expect(Math.abs(dateMs - full.segments[index]!.dateMs)).toBeLessThan(30);
            }
            for (const { durationS } of full.segments) {
              expect(Math.round(durationS)).toBeLessThanOrEqual(full.targetDuration);
            }
            versions.push(full);
          }
        });
      }),
      { numRuns: 40 },
    );
  }, 60_000);

  it('agree on numbers and discontinuities in all renditions', () => {
    fc.assert(
      fc.property(stretches, (plan) => {
        const stage = watch(plan, () => undefined);
        const [video, audio] = TRACKS.map(([name, track]) => read(stage.playlist(name, track) ?? '#EXTM3U'));
        const byMsn = new Map(video!.segments.map((segment) => [segment.msn, segment]));
        for (const { msn, discontinuities, dateMs } of audio!.segments) {
          const other = byMsn.get(msn);
          if (other === undefined) continue;
          expect([msn, other.discontinuities]).toEqual([msn, discontinuities]);
          expect(Math.abs(other.dateMs - dateMs)).toBeLessThan(100);
        }
      }),
      { numRuns: 30 },
    );
  }, 60_000);
});
