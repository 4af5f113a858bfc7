import { Judge, notApplicable, type Rule } from '../judge.ts';
import { lastMsn, type TimedSegment, timeline } from '../m3u8/timeline.ts';
import type { CheckRecord, FetchedMedia, ObservedPlaylist } from '../record.ts';
import { resourceKey } from '../record.ts';

/** Dates of the same segment in two versions: rounding of what is extrapolated from a date further away. */
const DATE_TOLERANCE_MS = 50;
/** Of the date that belongs to a media time: dates are whole ms, and go on by durations of few digits. */
const MAPPING_TOLERANCE_MS = 10;
/** A media clock that is off by more begins anew. */
const JUMP_S = 0.5;
/** A frame of AAC, when boundaries are cut at whole frames. */
const AUDIO_FRAME_S = 0.024;

/** What every version said of each segment, by URL: the first version's view, and any that differs. */
function sightings({ versions }: ObservedPlaylist): Map<string, TimedSegment[]> {
  const seen = new Map<string, TimedSegment[]>();
  for (const { playlist } of versions) {
    for (const timed of timeline(playlist)) {
      const key = resourceKey(timed.segment);
      const views = seen.get(key) ?? [];
      const last = views.at(-1);
      if (
        last === undefined ||
        last.dateMs !== timed.dateMs ||
        last.discontinuityNumber !== timed.discontinuityNumber
      ) {
        views.push(timed);
      }
      seen.set(key, views);
    }
  }
  return seen;
}

/** Every segment as it was first seen, oldest first. */
function segmentsOf(observed: ObservedPlaylist): TimedSegment[] {
  const first = [...sightings(observed).values()].flatMap(([view]) => (view === undefined ? [] : [view]));
  return first.toSorted((a, b) => a.segment.msn - b.segment.msn);
}

function media(record: CheckRecord): ObservedPlaylist[] {
  return record.playlists.filter(({ role, versions }) => role !== 'subtitles' && versions.length > 0);
}

const aligned: Rule = {
  id: 'L21',
  title: 'all renditions have the same segments: times, dates, discontinuities, within a target duration of each other',
  check(record) {
    const [reference, ...others] = media(record);
    if (reference === undefined || others.length === 0) return notApplicable('there is one media playlist only');
    const judge = new Judge();
    const wanted = segmentsOf(reference);
    for (const other of others) {
      judgeAlignment(judge, record, { reference, other, wanted });
      judgeEdges(judge, reference, other);
    }
    return judge.finding('no segment is in two playlists');
  },
};

function judgeAlignment(
  judge: Judge,
  record: CheckRecord,
  {
    reference,
    other,
    wanted,
  }: { reference: ObservedPlaylist; other: ObservedPlaylist; wanted: readonly TimedSegment[] },
): void {
  const byMsn = new Map(wanted.map((timed) => [timed.segment.msn, timed]));
  const ours = segmentsOf(other);
  for (const [index, timed] of ours.entries()) {
    const match = byMsn.get(timed.segment.msn);
    if (match === undefined) continue;
    const where = `msn ${timed.segment.msn}: ${other.name} and ${reference.name}`;
    const numbers = [timed.discontinuityNumber, match.discontinuityNumber];
    judge.expect(numbers[0] === numbers[1], () => `${where} have discontinuity numbers ${numbers.join(' and ')}`);
    const facts = [timed, match].map(({ segment }) => record.media.get(resourceKey(segment))?.facts);
    const [own, theirs] = facts;
    const frameS = Math.max(
      ...facts.map((fact) => (fact === undefined ? AUDIO_FRAME_S : fact.durationS / fact.sampleCount)),
    );
    const toleranceMs = 1_000 * Math.max(AUDIO_FRAME_S, frameS) + 2;
    const [date, matchDate] = [timed.dateMs, match.dateMs];
    if (date !== undefined && matchDate !== undefined) {
      const apartMs = Math.abs(date - matchDate);
      judge.expect(apartMs <= 2 * toleranceMs, () => `${where} have dates ${Math.round(apartMs)} ms apart`);
    }
    const lengthsMs = 1_000 * Math.abs(timed.segment.durationS - match.segment.durationS);
    // Where a publisher was cut off, its sound and its picture do not end together.
    const isLast = ours[index + 1]?.segment.discontinuity ?? other.versions.at(-1)?.playlist.ended === true;
    judge.expect(
      isLast || lengthsMs <= 2 * toleranceMs,
      () => `${where} last ${timed.segment.durationS} and ${match.segment.durationS} s`,
    );
    if (own === undefined || theirs === undefined) continue;
    const startsMs = 1_000 * Math.abs(own.startS - theirs.startS);
    judge.expect(
      startsMs <= toleranceMs,
      () => `${where} start at ${own.startS.toFixed(4)} and ${theirs.startS.toFixed(4)} s of media time`,
    );
    if (date === undefined || matchDate === undefined) continue;
    const mappings = [date - 1_000 * own.startS, matchDate - 1_000 * theirs.startS] as const;
    const shiftMs = Math.abs(mappings[0] - mappings[1]);
    judge.expect(
      shiftMs <= MAPPING_TOLERANCE_MS,
      () => `${where} map dates to media time with a difference of ${shiftMs.toFixed(1)} ms`,
    );
  }
}

/** Heads and tails of what was known at the same time. */
function judgeEdges(judge: Judge, reference: ObservedPlaylist, other: ObservedPlaylist): void {
  for (const { playlist, atMs } of reference.versions) {
    const then = other.versions.findLast((version) => version.atMs <= atMs)?.playlist;
    const isCovered = (other.versions.at(-1)?.atMs ?? 0) >= atMs;
    if (then === undefined || !isCovered) continue;
    const pair = `${reference.name} and ${other.name}`;
    const tails = [lastMsn(playlist), lastMsn(then)];
    const heads = [playlist.mediaSequence, then.mediaSequence];
    for (const [what, [a = 0, b = 0]] of [
      ['end', tails],
      ['begin', heads],
    ] as const) {
      judge.expect(Math.abs(a - b) <= 1, () => `${pair} ${what} with msn ${a} and ${b} at the same time`);
    }
  }
}

const dates: Rule = {
  id: 'L22',
  title: 'dates in every playlist and after each discontinuity, one for each segment, never going back',
  check(record) {
    const judge = new Judge();
    for (const observed of media(record)) {
      for (const { playlist } of observed.versions) {
        const dated = [...playlist.segments, playlist.open].some(({ statedDateMs }) => statedDateMs !== undefined);
        judge.expect(dated, () => `${observed.name} at msn ${lastMsn(playlist)}: no EXT-X-PROGRAM-DATE-TIME`);
        for (const segment of playlist.segments) {
          const isDated = !segment.discontinuity || segment.statedDateMs !== undefined;
          judge.expect(
            isDated,
            () => `${observed.name} msn ${segment.msn}: no EXT-X-PROGRAM-DATE-TIME after EXT-X-DISCONTINUITY`,
          );
          const isDate = !Number.isNaN(segment.statedDateMs ?? 0);
          judge.expect(isDate, () => `${observed.name} msn ${segment.msn}: EXT-X-PROGRAM-DATE-TIME is no date`);
        }
      }
      judgeDates(judge, observed);
    }
    return judge.finding('no version was seen');
  },
};

function judgeDates(judge: Judge, observed: ObservedPlaylist): void {
  for (const views of sightings(observed).values()) {
    const known = views.flatMap(({ dateMs }) => (dateMs === undefined ? [] : [dateMs]));
    const spreadMs = Math.max(...known) - Math.min(...known);
    const where = `${observed.name} msn ${views[0]?.segment.msn}`;
    judge.expect(
      known.length < 2 || spreadMs <= DATE_TOLERANCE_MS,
      () => `${where}: its date moved by ${Math.round(spreadMs)} ms`,
    );
  }
  let before: TimedSegment | undefined;
  for (const timed of segmentsOf(observed)) {
    const isOrdered = (timed.dateMs ?? 0) >= (before?.dateMs ?? 0) || timed.dateMs === undefined;
    judge.expect(
      isOrdered,
      () => `${observed.name} msn ${timed.segment.msn}: its date is before that of the segment before`,
    );
    before = timed;
  }
}

const discontinuities: Rule = {
  id: 'L23',
  title: 'a discontinuity wherever init, codec, size or clock change; DISCONTINUITY-SEQUENCE counts them',
  check(record) {
    const judge = new Judge();
    for (const observed of media(record)) {
      const has = observed.versions.some(({ playlist }) =>
        playlist.segments.some(({ discontinuity }) => discontinuity),
      );
      for (const { playlist } of observed.versions) {
        const isCounted = playlist.discontinuitySequence !== undefined || !has;
        judge.expect(isCounted, () => `${observed.name} has EXT-X-DISCONTINUITY, but no EXT-X-DISCONTINUITY-SEQUENCE`);
        judge.recommend(
          playlist.discontinuitySequence !== undefined,
          () => `${observed.name} has no EXT-X-DISCONTINUITY-SEQUENCE`,
        );
      }
      for (const views of sightings(observed).values()) {
        const numbers = [...new Set(views.map(({ discontinuityNumber }) => discontinuityNumber))];
        const where = `${observed.name} msn ${views[0]?.segment.msn}`;
        judge.expect(
          numbers.length === 1,
          () => `${where}: its discontinuity number becomes ${numbers.join(', then ')}`,
        );
      }
      judgeChanges(judge, record, observed);
    }
    return judge.finding('no version was seen');
  },
};

function judgeChanges(judge: Judge, record: CheckRecord, observed: ObservedPlaylist): void {
  let before: TimedSegment | undefined;
  for (const timed of segmentsOf(observed)) {
    const { segment } = timed;
    const follows =
      before?.segment.msn === segment.msn - 1 && !segment.discontinuity && !segment.gap && !before.segment.gap;
    const where = `${observed.name} msn ${segment.msn}, without EXT-X-DISCONTINUITY`;
    if (before !== undefined && follows) {
      const [old, now] = [before.segment.map, segment.map];
      judge.expect(old?.url === now?.url, () => `${where}: EXT-X-MAP becomes ${now?.url}`);
      const fetched = [before.segment, segment].map((of) => record.media.get(resourceKey(of)));
      judgeClock(judge, where, fetched);
    }
    before = timed;
  }
}

function judgeClock(judge: Judge, where: string, [before, after]: readonly (FetchedMedia | undefined)[]): void {
  if (before?.facts === undefined || after?.facts === undefined) return;
  const jumpS = after.facts.decodeStartS - before.facts.decodeEndS;
  judge.expect(Math.abs(jumpS) < JUMP_S, () => `${where}: media time jumps by ${jumpS.toFixed(3)} s`);
}

/** Rules about the timelines of renditions. */
export const SYNC_RULES: readonly Rule[] = [aligned, dates, discontinuities];
