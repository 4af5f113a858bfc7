import { Judge, notApplicable, type Rule } from '../judge.ts';
import { lastMsn, lengthS } from '../m3u8/timeline.ts';
import type { MediaPlaylist, Part, SegmentTags } from '../m3u8/media-playlist.ts';
import type { CheckRecord, ObservedPlaylist } from '../record.ts';
import { canBlock, hasParts, resourceKey } from '../record.ts';

const NO_PARTS = 'no playlist has parts: this is not a low-latency stream';

/** A full part is at least this much of its target. */
const FULL_PART = 0.85;
/** Rounding of durations in playlists. */
const DURATION_TOLERANCE_S = 0.005;
/** Of the distance from the end, where durations add up. */
const END_TOLERANCE_S = 0.05;
/** Of a client's timing on a busy machine. */
const ARRIVAL_TOLERANCE_MS = 500;

/** Every part that a playlist ever listed, once, with the segment that it was last seen in. */
export function listedParts({
  versions,
}: ObservedPlaylist): { part: Part; index: number; of: SegmentTags; isLast: boolean }[] {
  const parts = new Map<string, { part: Part; index: number; of: SegmentTags; isLast: boolean }>();
  for (const { playlist } of versions) {
    for (const of of [...playlist.segments, playlist.open]) {
      for (const [index, part] of of.parts.entries()) {
        const isLast = index === of.parts.length - 1;
        parts.set(resourceKey(part), { part, index, of, isLast });
      }
    }
  }
  return [...parts.values()];
}

const partDurations: Rule = {
  id: 'L1',
  title: 'PART-TARGET is declared; parts keep to it and to their own durations, and make up their segment',
  check(record) {
    if (!hasParts(record)) return notApplicable(NO_PARTS);
    const judge = new Judge();
    for (const observed of record.playlists) {
      const targets = new Set(observed.versions.map(({ playlist }) => playlist.partTargetS));
      const parts = listedParts(observed);
      if (parts.length > 0) {
        judge.expect(!targets.has(undefined), () => `${observed.name}: EXT-X-PART without EXT-X-PART-INF:PART-TARGET`);
        judge.expect(targets.size === 1, () => `${observed.name}: PART-TARGET changes: ${[...targets].join(', ')}`);
      }
      const [target = Infinity] = targets;
      for (const { part, of, isLast } of parts) {
        const said = `${observed.name} msn ${of.msn}: ${part.line}`;
        judge.expect(part.durationS <= target + 1e-9, () => `${said} is longer than PART-TARGET=${target}`);
        const isShortAllowed = isLast || part.gap || !Number.isFinite(target);
        judge.expect(
          isShortAllowed || part.durationS >= target * FULL_PART,
          () => `${said} is shorter than 85 % of PART-TARGET=${target}`,
        );
        const facts = record.media.get(resourceKey(part))?.facts;
        if (facts === undefined) continue;
        const differenceS = Math.abs(facts.durationS - part.durationS);
        judge.expect(
          differenceS <= DURATION_TOLERANCE_S,
          () => `${said} holds ${facts.durationS.toFixed(5)} s of frames`,
        );
      }
    }
    for (const observed of record.playlists) judgeSums(judge, record, observed);
    return judge.finding('no part was listed');
  },
};

/** The frames of a segment are those of its parts. */
function judgeSums(judge: Judge, { media }: CheckRecord, { name, versions }: ObservedPlaylist): void {
  const segments = new Set(
    versions.flatMap(({ playlist }) => playlist.segments.filter(({ parts }) => parts.length > 0)),
  );
  for (const segment of segments) {
    const whole = media.get(resourceKey(segment))?.facts;
    const parts = segment.parts.map((part) => media.get(resourceKey(part))?.facts);
    if (whole === undefined || parts.some((facts) => facts === undefined)) continue;
    const frames = parts.flatMap((facts) => facts?.digests ?? []);
    const said = `${name} msn ${segment.msn}: the segment has ${whole.sampleCount} frames, its parts ${frames.length}`;
    judge.expect(frames.join() === whole.digests.join(), () => `${said}, or not the same ones`);
  }
}

const independentParts: Rule = {
  id: 'L6',
  title: 'INDEPENDENT=YES exactly on parts that start with an IDR; segments start with one',
  check(record) {
    const judge = new Judge();
    const independent = record.multivariant?.first.independentSegments ?? false;
    const own = record.playlists.every(({ versions }) =>
      versions.every(({ playlist }) => playlist.independentSegments),
    );
    judge.expect(
      independent || own,
      () => 'neither the multivariant nor every media playlist has EXT-X-INDEPENDENT-SEGMENTS',
    );
    for (const observed of record.playlists) {
      judgeKeyframes(judge, record, observed);
    }
    return judge.finding('no media could be read');
  },
};

function judgeKeyframes(judge: Judge, { media }: CheckRecord, observed: ObservedPlaylist): void {
  for (const { part, of } of listedParts(observed)) {
    const facts = media.get(resourceKey(part))?.facts;
    if (facts?.track.kind !== 'video') continue;
    const holds = facts.startsIndependent ? 'starts' : 'does not start';
    const said = `${observed.name} msn ${of.msn}: ${part.line}`;
    judge.expect(facts.startsIndependent === part.independent, () => `${said} ${holds} with an IDR`);
  }
  for (const segment of new Set(observed.versions.flatMap(({ playlist }) => playlist.segments))) {
    const facts = media.get(resourceKey(segment))?.facts;
    if (facts === undefined) continue;
    const said = `${observed.name}: segment ${segment.msn} (${segment.url}) does not start with an IDR`;
    judge.expect(facts.startsIndependent, () => said);
  }
}

const partCadence: Rule = {
  id: 'L7',
  title: 'a part follows within a part target, a segment within 1.5 target durations',
  check(record) {
    const judge = new Judge();
    const { lagMs } = record;
    for (const observed of record.playlists) {
      const { versions } = observed;
      const live = versions.find(({ playlist }) => canBlock(playlist))?.playlist;
      const { targetDurationS: targetS, partTargetS } = live ?? {};
      const segments = arrivals(versions, (playlist) => lastMsn(playlist));
      judgeGaps(judge, `${observed.name}: segments`, segments, { limitS: 1.5 * (targetS ?? NaN), lagMs });
      const parts = arrivals(versions, partCounter());
      judgeGaps(judge, `${observed.name}: parts`, parts, { limitS: 2 * (partTargetS ?? NaN), lagMs });
      const typical = parts.toSorted((a, b) => a - b)[Math.floor(parts.length / 2)];
      if (typical === undefined || partTargetS === undefined) continue;
      judge.note(`${observed.name}: a part each ${Math.round(typical)} ms`);
      const limitMs = partTargetS * 1_150 + 50;
      judge.expect(
        typical <= limitMs,
        () => `${observed.name}: a part each ${Math.round(typical)} ms, PART-TARGET=${partTargetS}`,
      );
    }
    return judge.finding('no playlist offers blocking reloads, so arrivals cannot be told from polling');
  },
};

/**
 * Time in ms between the arrivals of versions that have more of something than the one before. Nothing is due while
 * blocking reloads are not offered: the publisher is away then.
 */
function arrivals(
  versions: readonly { readonly atMs: number; readonly playlist: MediaPlaylist }[],
  count: (playlist: MediaPlaylist) => number,
): number[] {
  const gaps: number[] = [];
  let last: { atMs: number; count: number; isFirst: boolean } | undefined;
  for (const { atMs, playlist } of versions) {
    const now = count(playlist);
    if (!canBlock(playlist)) {
      last = undefined;
      continue;
    }
    // What the first lists may have been there for long.
    if (last !== undefined && now > last.count && !last.isFirst) gaps.push(atMs - last.atMs);
    if (last === undefined || now > last.count) last = { atMs, count: now, isFirst: last === undefined };
  }
  return gaps;
}

/** Counts the parts that it has been shown. */
function partCounter(): (playlist: MediaPlaylist) => number {
  const seen = new Set<string>();
  return ({ segments, open }) => {
    for (const { parts } of [...segments, open]) for (const part of parts) seen.add(resourceKey(part));
    return seen.size;
  };
}

function judgeGaps(
  judge: Judge,
  what: string,
  gapsMs: readonly number[],
  { limitS, lagMs }: { limitS: number; lagMs: number },
): void {
  if (Number.isNaN(limitS) || gapsMs.length === 0) return;
  const longestMs = Math.round(Math.max(...gapsMs));
  const limitMs = limitS * 1_000 + ARRIVAL_TOLERANCE_MS + lagMs;
  judge.expect(longestMs <= limitMs, () => `${what} were up to ${longestMs} ms apart, allowed are ${limitS} s`);
}

const oldParts: Rule = {
  id: 'L8',
  title: 'parts leave the playlist after 3 target durations, and can be fetched for 3 more',
  check(record) {
    if (!hasParts(record)) return notApplicable(NO_PARTS);
    const judge = new Judge();
    let removed = 0;
    for (const { name, versions } of record.playlists) {
      for (const { playlist } of versions) {
        let fromEndS = lengthS(playlist);
        const limitS = 3 * (playlist.targetDurationS ?? Infinity);
        for (const segment of playlist.segments) {
          fromEndS -= segment.durationS;
          const isOld = fromEndS > limitS + END_TOLERANCE_S;
          const said = `${name}: segment ${segment.msn} ends ${fromEndS.toFixed(2)} s before the end and still has parts`;
          judge.expect(!isOld || segment.parts.length === 0, () => said);
        }
      }
    }
    for (const { exchange } of record.probes.filter(({ kind }) => kind === 'removed-part')) {
      removed += 1;
      const isThere = exchange.status === 200 || exchange.status === 206;
      judge.expect(
        isThere,
        () => `${exchange.url} left the playlist and answers ${exchange.failure ?? exchange.status}`,
      );
    }
    judge.note(`${removed} parts fetched after they left`);
    return judge.finding('no part was listed');
  },
};

/** Rules about parts. */
export const PART_RULES: readonly Rule[] = [partDurations, independentParts, partCadence, oldParts];
