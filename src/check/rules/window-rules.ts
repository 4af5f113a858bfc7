import { Judge, type Rule } from '../judge.ts';
import type { MediaPlaylist, Segment } from '../m3u8/media-playlist.ts';
import { lengthS, newestPosition, comparePositions, describePosition } from '../m3u8/timeline.ts';
import type { CheckRecord, ObservedPlaylist } from '../record.ts';
import { resourceKey } from '../record.ts';

const DURATION_TOLERANCE_S = 0.005;
/** Audio is cut at whole frames and parts round on their own. */
const PARTS_TOLERANCE_S = 0.02;
const MIN_SEGMENTS = 6;

const targetDuration: Rule = {
  id: 'L9',
  title: 'TARGETDURATION never changes, is the same everywhere, and bounds every segment',
  check(record) {
    const judge = new Judge();
    const all = new Map<number | undefined, string>();
    for (const observed of record.playlists) {
      for (const { playlist } of observed.versions) all.set(playlist.targetDurationS, observed.name);
      const segments = segmentsOf(observed);
      const breaks = new Set([...segments].filter(({ discontinuity }) => discontinuity).map(({ msn }) => msn));
      for (const segment of segments) {
        judgeLength(judge, record, observed, segment);
        // Where a publisher was cut off, frames that others refer to may be lost.
        if (!breaks.has(segment.msn + 1)) judgeSum(judge, observed.name, segment);
      }
    }
    const said = [...all].map(([targetS, name]) => `${name}: ${targetS ?? 'none'}`).join(', ');
    judge.expect(all.size === 1 && !all.has(undefined), () => `EXT-X-TARGETDURATION differs or is missing: ${said}`);
    judge.note(`EXT-X-TARGETDURATION ${said}`);
    return judge.finding('no version was seen');
  },
};

function segmentsOf({ versions }: ObservedPlaylist): Set<Segment> {
  return new Set(versions.flatMap(({ playlist }) => playlist.segments));
}

function judgeLength(judge: Judge, record: CheckRecord, observed: ObservedPlaylist, segment: Segment): void {
  const targetS = observed.versions[0]?.playlist.targetDurationS ?? Infinity;
  const said = `${observed.name} msn ${segment.msn}: ${segment.line}`;
  judge.expect(Math.round(segment.durationS) <= targetS, () => `${said} is more than TARGETDURATION:${targetS}`);
  const facts = record.media.get(resourceKey(segment))?.facts;
  if (facts !== undefined) {
    const lengthsS = [facts.durationS, facts.shownS];
    const isRight = lengthsS.some((lengthS) => Math.abs(lengthS - segment.durationS) <= DURATION_TOLERANCE_S);
    judge.expect(isRight, () => `${said} holds ${facts.durationS.toFixed(5)} s of frames`);
  }
}

/** The parts of a segment are as long as it is. */
function judgeSum(judge: Judge, name: string, segment: Segment): void {
  if (segment.parts.length === 0 || segment.parts.some(({ gap }) => gap)) return;
  const partsS = segment.parts.reduce((total, { durationS }) => total + durationS, 0);
  const agrees = Math.abs(partsS - segment.durationS) <= PARTS_TOLERANCE_S;
  judge.expect(agrees, () => `${name} msn ${segment.msn}: ${segment.line}, but its parts take ${partsS.toFixed(5)} s`);
}

const mediaSequence: Rule = {
  id: 'L10',
  title: 'MEDIA-SEQUENCE counts removed segments; the window is long enough; removed segments stay',
  check(record) {
    const judge = new Judge();
    for (const observed of record.playlists) {
      for (const [before, after] of neighbours(observed)) judgeSequence(judge, observed.name, before, after);
    }
    for (const { exchange } of record.probes.filter(({ kind }) => kind === 'removed-segment')) {
      const isThere = exchange.status === 200 || exchange.status === 206;
      judge.expect(
        isThere,
        () => `${exchange.url} left the playlist and answers ${exchange.failure ?? exchange.status}`,
      );
      judge.note(`${exchange.url} can be fetched after it left`);
    }
    return judge.finding('no playlist changed while it was watched');
  },
};

function neighbours({ versions }: ObservedPlaylist): [MediaPlaylist, MediaPlaylist][] {
  return versions.slice(1).map(({ playlist }, index) => [versions[index]?.playlist ?? playlist, playlist]);
}

/** How many segments of the older list are gone from the head of the newer one, `undefined` if they share none. */
function removedCount(before: MediaPlaylist, after: MediaPlaylist): number | undefined {
  const [head] = after.segments;
  if (head === undefined) return undefined;
  const index = before.segments.findIndex((segment) => resourceKey(segment) === resourceKey(head));
  return index < 0 ? undefined : index;
}

function judgeSequence(judge: Judge, name: string, before: MediaPlaylist, after: MediaPlaylist): void {
  const step = after.mediaSequence - before.mediaSequence;
  judge.expect(step >= 0, () => `${name}: MEDIA-SEQUENCE goes from ${before.mediaSequence} to ${after.mediaSequence}`);
  const gone = removedCount(before, after);
  if (gone === undefined) return;
  const said = `${name}: MEDIA-SEQUENCE goes from ${before.mediaSequence} to ${after.mediaSequence}, ${gone} segments left`;
  judge.expect(step === gone, () => said);
  if (gone === 0 || after.ended) return;
  const [count, windowS] = [after.segments.length, lengthS(after)];
  const leastS = 3 * (after.targetDurationS ?? 0);
  judge.expect(windowS >= leastS, () => `${name}: the list is ${windowS.toFixed(1)} s long, at least are ${leastS} s`);
  judge.expect(count >= MIN_SEGMENTS, () => `${name}: the list has ${count} segments, at least are ${MIN_SEGMENTS}`);
  const type = after.playlistType;
  judge.expect(type === undefined, () => `${name}: a sliding playlist has EXT-X-PLAYLIST-TYPE:${type}`);
}

const atomicUpdates: Rule = {
  id: 'L11',
  title: 'playlists only grow at the end and lose their head; nothing listed changes',
  check(record) {
    const judge = new Judge();
    for (const observed of record.playlists) {
      for (const [before, after] of neighbours(observed)) judgeEdit(judge, observed.name, before, after);
    }
    return judge.finding('no playlist changed while it was watched');
  },
};

function judgeEdit(judge: Judge, name: string, before: MediaPlaylist, after: MediaPlaylist): void {
  const [old, now] = [newestPosition(before), newestPosition(after)];
  const said = `${name}: after ${describePosition(old)} came a playlist that ends with ${describePosition(now)}`;
  judge.expect(comparePositions(now, old) >= 0, () => said);
  judge.expect(!before.ended || after.ended, () => `${name}: EXT-X-ENDLIST was taken back`);
  const gone = removedCount(before, after);
  if (gone === undefined) {
    const follows = after.segments.length === 0 || after.mediaSequence >= before.open.msn;
    judge.expect(
      follows || before.segments.length === 0,
      () => `${name}: no segment of ${describePosition(old)} is left, but its numbers are`,
    );
    return;
  }
  for (const [index, segment] of before.segments.slice(gone).entries()) {
    const same = after.segments[index];
    const where = `${name} msn ${segment.msn}`;
    judge.expect(same !== undefined, () => `${where}: ${segment.url} was taken off the end`);
    if (same !== undefined) judgeSegmentEdit(judge, where, segment, same);
  }
  const nowWhole = after.segments[before.segments.length - gone] ?? after.open;
  judgeParts(judge, `${name} msn ${before.open.msn}`, before.open.parts, nowWhole.parts);
}

function judgeSegmentEdit(judge: Judge, where: string, before: Segment, after: Segment): void {
  if (before === after) return;
  const said = (segment: Segment): string =>
    `${segment.line}${segment.gap ? ' EXT-X-GAP' : ''} ${resourceKey(segment)} map ${segment.map?.url ?? 'none'}`;
  judge.expect(said(before) === said(after), () => `${where}: "${said(before)}" became "${said(after)}"`);
  if (after.parts.length > 0) judgeParts(judge, where, before.parts, after.parts);
}

/** Parts that were listed stay as they are, and others follow them. */
function judgeParts(
  judge: Judge,
  where: string,
  before: readonly { line: string }[],
  after: readonly { line: string }[],
): void {
  for (const [index, { line }] of before.entries()) {
    judge.expect(after[index]?.line === line, () => `${where}: "${line}" became "${after[index]?.line ?? 'nothing'}"`);
  }
}

const gaps: Rule = {
  id: 'L24',
  title: 'missing media is listed as a gap of the right length; all else can be fetched',
  check(record) {
    const judge = new Judge();
    for (const { what, exchange, playlist, problem } of record.media.values()) {
      const { url, status, failure } = exchange;
      const isThere = status === 200 || status === 206;
      judge.expect(
        isThere,
        () => `${playlist.name}: ${what} ${url} is listed without a gap and answers ${failure ?? status}`,
      );
      judge.expect(problem === undefined, () => `${playlist.name}: ${what} ${url} cannot be read: ${problem}`);
    }
    for (const { name, failures } of record.playlists) {
      for (const { url, status, failure } of failures) {
        judge.expect(status === 503, () => `${name}: ${url} answered ${failure ?? status}`);
      }
    }
    for (const observed of record.playlists) judgeGapLength(judge, record, observed);
    return judge.finding('no media was fetched');
  },
};

/** A run of gaps is as long as the hole between its neighbours. */
function judgeGapLength(judge: Judge, { media }: CheckRecord, observed: ObservedPlaylist): void {
  const segments = [...segmentsOf(observed)].toSorted((a, b) => a.msn - b.msn);
  for (const [index, segment] of segments.entries()) {
    if (segment.gap || segments[index + 1]?.gap !== true) continue;
    const next = segments.findIndex((later, at) => at > index && !later.gap);
    const run = segments.slice(index + 1, next < 0 ? undefined : next);
    const [from, to] = [media.get(resourceKey(segment))?.facts, next < 0 ? undefined : segments[next]];
    const until = to === undefined ? undefined : media.get(resourceKey(to))?.facts;
    if (
      from === undefined ||
      until === undefined ||
      run.some(({ discontinuity }) => discontinuity) ||
      to?.discontinuity
    )
      continue;
    const holeS = until.decodeStartS - from.decodeEndS;
    const saidS = run.reduce((total, { durationS }) => total + durationS, 0);
    const said = `${observed.name} msn ${segment.msn + 1}: gaps of ${saidS.toFixed(3)} s for a hole of ${holeS.toFixed(3)} s`;
    judge.expect(Math.abs(holeS - saidS) < 0.1, () => said);
  }
}

/** Rules about the list of segments. */
export const WINDOW_RULES: readonly Rule[] = [targetDuration, mediaSequence, atomicUpdates, gaps];
