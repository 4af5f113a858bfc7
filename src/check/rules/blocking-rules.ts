import { describeExchange } from '../http-client.ts';
import { Judge, notApplicable, notCheckable, type Rule } from '../judge.ts';
import type { MediaPlaylist } from '../m3u8/media-playlist.ts';
import { comparePositions, describePosition, newestPosition, type Position, reaches } from '../m3u8/timeline.ts';
import type { CheckRecord, Probe, ProbeKind } from '../record.ts';
import { canBlock } from '../record.ts';
import type { Exchange } from '../http-client.ts';

const NO_BLOCKING = 'no playlist offers CAN-BLOCK-RELOAD';
/** An answer that comes at once, over a network and from a busy machine. */
const AT_ONCE_MS = 1_000;
const HOLD_TOLERANCE_MS = 1_500;
/** A hold this near to 3 target durations is one that ended by its limit. */
const NEAR_LIMIT = 0.9;

interface HeldRequest {
  readonly name: string;
  readonly position: Position;
  readonly exchange: Exchange;
  readonly answer: MediaPlaylist | undefined;
  readonly limitMs: number;
}

/** Every request that had a right to be held, of players and of probes. */
function heldRequests({ playlists, probes }: CheckRecord): HeldRequest[] {
  const kinds: readonly ProbeKind[] = ['legal-ahead', 'whole-segment', 'part-overflow'];
  const limitOf = (playlist: MediaPlaylist | undefined): number => 3_000 * (playlist?.targetDurationS ?? 0);
  const played = playlists.flatMap(({ name, reloads, versions }) =>
    reloads.map((reload) => ({ ...reload, name, limitMs: limitOf(versions[0]?.playlist) })),
  );
  const probed = probes.flatMap(({ kind, playlist, position, exchange, answer, before }) =>
    position === undefined || playlist === undefined || !kinds.includes(kind)
      ? []
      : [{ name: playlist.name, position, exchange, answer, limitMs: limitOf(before) }],
  );
  return [...played, ...probed];
}

function durationMs({ sentAtMs, endedAtMs }: Exchange): number {
  return Math.round(endedAtMs - sentAtMs);
}

function offersBlocking({ playlists }: CheckRecord): boolean {
  return playlists.some(({ versions }) => versions.some(({ playlist }) => canBlock(playlist)));
}

function probesOf({ probes }: CheckRecord, kind: ProbeKind): Probe[] {
  return probes.filter((probe) => probe.kind === kind);
}

const blocks: Rule = {
  id: 'L12',
  title: 'a blocking reload is answered when the segment or part is there, not before',
  check(record) {
    if (!offersBlocking(record)) return notApplicable(NO_BLOCKING);
    const judge = new Judge();
    for (const { name, position, exchange, answer, limitMs } of heldRequests(record)) {
      if (exchange.status !== 200 || durationMs(exchange) >= NEAR_LIMIT * limitMs) continue;
      const said = `${name}: ${describeExchange(exchange)} after ${durationMs(exchange)} ms`;
      judge.expect(answer !== undefined, () => `${said} is no playlist`);
      if (answer === undefined) continue;
      const isSatisfied = answer.ended || reaches(answer, position);
      judge.expect(isSatisfied, () => `${said} ends with ${describePosition(newestPosition(answer))}`);
    }
    return judge.finding('no blocking reload was answered');
  },
};

const malformed: Rule = {
  id: 'L13',
  title: '_HLS_part without _HLS_msn, and what is no integer, is answered 400',
  check(record) {
    if (!offersBlocking(record)) return notApplicable(NO_BLOCKING);
    const judge = new Judge();
    for (const { exchange } of probesOf(record, 'bad-directive')) {
      judge.expect(exchange.status === 400, () => `${describeExchange(exchange)}, not 400`);
    }
    return judge.finding('the stream ended before it could be tried');
  },
};

const farAhead: Rule = {
  id: 'L14',
  title: 'positions too far ahead are answered 400 at once, those in reach are not',
  check(record) {
    if (!offersBlocking(record)) return notApplicable(NO_BLOCKING);
    const judge = new Judge();
    const atOnceMs = AT_ONCE_MS + record.lagMs;
    for (const { exchange, before } of probesOf(record, 'far-ahead')) {
      const after = before === undefined ? '' : ` when the newest was ${describePosition(newestPosition(before))}`;
      const said = `${describeExchange(exchange)} in ${durationMs(exchange)} ms${after}`;
      judge.expect(exchange.status === 400, () => `${said}, not 400`);
      judge.expect(exchange.status !== 400 || durationMs(exchange) <= atOnceMs, () => `${said}, not at once`);
    }
    for (const { name, exchange } of heldRequests(record)) {
      judge.expect(exchange.status !== 400, () => `${name}: ${describeExchange(exchange)}, although it is in reach`);
    }
    return judge.finding('the stream ended before it could be tried');
  },
};

const holdLimit: Rule = {
  id: 'L15',
  title: 'what does not come within 3 target durations is answered 503',
  check(record) {
    if (!offersBlocking(record)) return notApplicable(NO_BLOCKING);
    const judge = new Judge();
    const held = heldRequests(record);
    for (const { name, position, exchange, answer, limitMs } of held) {
      const { status } = exchange;
      const heldMs = durationMs(exchange);
      const said = `${name}: ${describeExchange(exchange)} after ${heldMs} ms`;
      const isTooLong = heldMs > limitMs + HOLD_TOLERANCE_MS + record.lagMs;
      const isUnsatisfied = answer !== undefined && !answer.ended && !reaches(answer, position);
      if (isTooLong) judge.expect(false, () => `${said}, held for more than ${limitMs} ms`);
      else if (heldMs >= NEAR_LIMIT * limitMs && isUnsatisfied)
        judge.expect(false, () => `${said} without what was asked for`);
      else if (status !== 200 && status !== 400) judge.expect(status === 503, () => `${said}, not 503`);
    }
    const longestMs = Math.max(0, ...held.map(({ exchange }) => durationMs(exchange)));
    return judge.finding(`all media came in time while it was watched: the longest hold was ${longestMs} ms`);
  },
};

const oldPositions: Rule = {
  id: 'L16',
  title: 'old positions are answered at once with the newest playlist; ended playlists ignore directives',
  check(record) {
    const judge = new Judge();
    for (const { playlist, exchange, answer, before } of probesOf(record, 'old-position')) {
      const said = `${describeExchange(exchange)} in ${durationMs(exchange)} ms`;
      judge.expect(
        exchange.status === 200 && durationMs(exchange) <= AT_ONCE_MS + record.lagMs,
        () => `${said}, not 200 at once`,
      );
      if (answer === undefined || before === undefined) continue;
      const isCurrent = comparePositions(newestPosition(answer), newestPosition(before)) >= 0;
      const newest = describePosition(newestPosition(before));
      judge.expect(
        isCurrent,
        () => `${said} ends with ${describePosition(newestPosition(answer))}, but ${newest} was there`,
      );
      const isFull = answer.skip === undefined && answer.segments.length >= before.segments.length - 1;
      judge.expect(isFull, () => `${said} is not the full playlist of ${playlist?.name}`);
    }
    for (const { exchange, answer } of probesOf(record, 'ended-directive')) {
      judge.expect(answer?.ended === true, () => `${describeExchange(exchange)}, not the ended playlist`);
    }
    if (!offersBlocking(record) && probesOf(record, 'ended-directive').length === 0) return notApplicable(NO_BLOCKING);
    const isLive = probesOf(record, 'ended-directive').length === 0;
    if (isLive) judge.note('whether directives are ignored after the end could not be seen: the stream is live');
    const finding = judge.finding('nothing was answered');
    return finding.status === 'not-checkable' ? notCheckable('the stream ended before it could be tried') : finding;
  },
};

/** Rules about blocking reloads. */
export const BLOCKING_RULES: readonly Rule[] = [blocks, malformed, farAhead, holdLimit, oldPositions];
