import { describeExchange } from '../http-client.ts';
import { Judge, notApplicable, type Rule } from '../judge.ts';
import type { MediaPlaylist } from '../m3u8/media-playlist.ts';
import { comparePositions, describePosition, newestPosition, type Position } from '../m3u8/timeline.ts';
import type { CheckRecord, HintRequest, ObservedPlaylist } from '../record.ts';
import { canBlock, hasParts } from '../record.ts';
import { abandonedHints } from '../probes/removal-probes.ts';

const NO_PARTS = 'no playlist has parts: this is not a low-latency stream';
/** What the network may take between the first and the last byte of a part. */
const TRANSFER_MS = 250;
/** Of two observers on a busy machine. */
const FRESHNESS_MS = 400;

const hints: Rule = {
  id: 'L19',
  title: 'one part is hinted at; asking for it blocks and delivers exactly that part; unknown media is 404',
  check(record) {
    if (!hasParts(record)) return notApplicable(NO_PARTS);
    const judge = new Judge();
    for (const observed of record.playlists) judgeHintTags(judge, observed);
    for (const request of record.hints) judgeHintRequest(judge, record, request);
    for (const { kind, exchange } of record.probes) {
      if (kind !== 'unknown-media' && kind !== 'abandoned-hint') continue;
      judge.expect(exchange.status === 404, () => `${describeExchange(exchange)}, not 404 (${kind.replace('-', ' ')})`);
    }
    const abandoned = record.playlists.flatMap((playlist) => abandonedHints(playlist)).length;
    judge.note(`${record.hints.length} hinted parts fetched, ${abandoned} hints abandoned`);
    return judge.finding('no hint was seen');
  },
};

function judgeHintTags(judge: Judge, { name, versions }: ObservedPlaylist): void {
  for (const [index, { playlist }] of versions.entries()) {
    if (playlist.partTargetS === undefined || playlist.ended || !canBlock(playlist)) continue;
    const count = partHints(playlist);
    const where = `${name} at ${describePosition(newestPosition(playlist))}`;
    const isFine = count === 1 || (count === 0 && breaksNext(versions.slice(index + 1)));
    judge.expect(isFine, () => `${where}: ${count} EXT-X-PRELOAD-HINT:TYPE=PART`);
  }
  const lines = new Set(abandonedHints({ versions }));
  const reset = versions.some(({ playlist }) => !canBlock(playlist) || isBroken(playlist));
  for (const { playlist } of versions) {
    for (const { url, line } of playlist.hints) {
      judge.expect(reset || !lines.has(url), () => `${name}: ${line} never became a part`);
    }
  }
}

function partHints({ hints }: MediaPlaylist): number {
  return hints.filter(({ type }) => type === 'PART').length;
}

/** Nothing can be hinted at before the stream ends, or goes on with another init. */
function breaksNext(later: ObservedPlaylist['versions']): boolean {
  const next = later.find(({ playlist }) => playlist.ended || partHints(playlist) > 0);
  return next !== undefined && isBroken(next.playlist);
}

/** A hint may come to nothing when the stream ends or begins anew. */
function isBroken({ ended, open, segments }: MediaPlaylist): boolean {
  return ended || open.discontinuity || segments.at(-1)?.discontinuity === true;
}

function judgeHintRequest(judge: Judge, { media, lagMs }: CheckRecord, request: HintRequest): void {
  const { url, exchange, digests, playlist, line } = request;
  const said = `${playlist.name}: ${line} answered`;
  const isAbandoned = abandonedHints(playlist).includes(url);
  judge.expect(isAbandoned || exchange.status === 200, () => `${said} ${exchange.failure ?? exchange.status}`);
  if (exchange.status !== 200) return;
  const spreadMs = Math.round(exchange.endedAtMs - exchange.headersAtMs);
  judge.expect(spreadMs <= TRANSFER_MS + lagMs, () => `${said} piece by piece over ${spreadMs} ms`);
  const listed = media.get(url)?.facts;
  if (listed === undefined) return;
  const same = listed.digests.join() === digests.join();
  judge.expect(same, () => `${said} ${digests.length} frames, but the part that was listed has ${listed.sampleCount}`);
}

const reports: Rule = {
  id: 'L20',
  title: 'rendition reports for all other renditions, as fresh as the playlist',
  check(record) {
    if (!hasParts(record)) return notApplicable(NO_PARTS);
    if (record.playlists.length < 2) return notApplicable('there is one media playlist only');
    const judge = new Judge();
    const others = record.playlists.filter(({ role }) => role !== 'subtitles');
    for (const observed of others) {
      for (const other of others) if (other !== observed) judgeReports(judge, observed, other, record.lagMs);
    }
    return judge.finding('no version was seen');
  },
};

function judgeReports(judge: Judge, observed: ObservedPlaylist, other: ObservedPlaylist, lagMs: number): void {
  const wanted = bare(other.url);
  for (const { playlist, atMs } of observed.versions) {
    if (playlist.ended) continue;
    const where = `${observed.name} at ${describePosition(newestPosition(playlist))}`;
    const report = playlist.reports.find(({ url }) => bare(url) === wanted);
    judge.expect(report !== undefined, () => `${where}: no EXT-X-RENDITION-REPORT for ${other.name}`);
    if (report === undefined) continue;
    const { lastMsn, lastPart } = report;
    judge.expect(lastMsn !== undefined, () => `${where}: ${report.line} has no LAST-MSN`);
    if (lastMsn === undefined) continue;
    const said: Position = { msn: lastMsn, part: lastPart };
    const slackMs = FRESHNESS_MS + lagMs + 1_000 * (playlist.partTargetS ?? 0);
    const known = other.versions.findLast((version) => version.atMs < atMs - slackMs);
    const isFresh = known === undefined || comparePositions(newestPosition(known.playlist), said) <= 0;
    const had = known === undefined ? '' : describePosition(newestPosition(known.playlist));
    judge.expect(
      isFresh,
      () => `${where}: ${report.line}, but ${had} was there more than ${Math.round(slackMs)} ms before`,
    );
    judgeFuture(judge, `${where}: ${report.line}`, said, other, atMs + slackMs);
  }
}

/** What a report says must have come about soon after. */
function judgeFuture(judge: Judge, what: string, said: Position, other: ObservedPlaylist, untilMs: number): void {
  const then = other.versions.findLast(({ atMs }) => atMs <= untilMs);
  const isOver = (other.versions.at(-1)?.atMs ?? 0) <= untilMs;
  // Where nothing can be waited for it is asked now and then only, and what comes in between is not seen.
  if (then?.playlist.partTargetS === undefined || !canBlock(then.playlist) || isOver) return;
  const came = newestPosition(then.playlist);
  const isThere = comparePositions(said, { ...came, part: came.part ?? Infinity }) <= 0;
  judge.expect(isThere, () => `${what}, but the newest there was ${describePosition(came)}`);
}

function bare(url: string): string {
  return url.split('?')[0] ?? url;
}

/** Rules about hints and reports. */
export const HINT_RULES: readonly Rule[] = [hints, reports];
