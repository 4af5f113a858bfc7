import { describeExchange } from '../http-client.ts';
import { Judge, notApplicable, type Rule } from '../judge.ts';
import { decimal } from '../m3u8/attribute-list.ts';
import type { MediaPlaylist } from '../m3u8/media-playlist.ts';
import { applyDelta, lengthS, skippedSegments, timeline } from '../m3u8/timeline.ts';
import type { DeltaPair } from '../record.ts';

const MIN_VERSION = 9;
/** `EXTINF` has few digits, and dates only ms. */
const DATE_TOLERANCE_MS = 20;
/** Durations in playlists are rounded, and add up. */
const BOUNDARY_TOLERANCE_S = 0.05;
/** Windows that are longer should offer delta updates. */
const LONG_WINDOW_S = 120;

const deltas: Rule = {
  id: 'L17',
  title: 'a delta update skips exactly the old segments and says the same as the full playlist',
  check(record) {
    const judge = new Judge();
    for (const pair of record.deltas) judgePair(judge, pair);
    for (const { exchange, answer } of record.probes.filter(({ kind }) => kind === 'skip-not-offered')) {
      const isFull = answer !== undefined && answer.skip === undefined;
      judge.expect(
        isFull,
        () => `${describeExchange(exchange)} is no full playlist, although CAN-SKIP-UNTIL is not offered`,
      );
      const windowS = answer === undefined ? 0 : lengthS(answer);
      judge.recommend(windowS <= LONG_WINDOW_S, () => `a list of ${Math.round(windowS)} s should offer delta updates`);
    }
    const skipped = record.deltas.map(({ delta }) => skippedSegments(delta));
    if (skipped.length > 0) judge.note(`skipped segments: ${[...new Set(skipped)].join(', ')}`);
    const offered = record.playlists.some(({ versions }) => versions[0]?.playlist.serverControl?.has('CAN-SKIP-UNTIL'));
    if (!offered && record.probes.every(({ kind }) => kind !== 'skip-not-offered')) {
      return notApplicable('no playlist offers CAN-SKIP-UNTIL');
    }
    return judge.finding('no delta update and full playlist of the same version could be got');
  },
};

function judgePair(judge: Judge, pair: DeltaPair): void {
  const { full, delta, older, exchange, directive } = pair;
  const said = describeExchange(exchange);
  const { least, most } = skippable(full);
  const skipped = skippedSegments(delta);
  const wanted = least === most ? String(least) : `${least} to ${most}`;
  judge.expect(
    skipped >= least && skipped <= most,
    () => `${said} skips ${skipped} segments, past the boundary are ${wanted}`,
  );
  if (delta.skip === undefined) {
    judge.expect(sameLists(full, delta) === undefined, () => `${said}: ${sameLists(full, delta)}`);
    return;
  }
  const version = delta.version ?? 0;
  const leastVersion = directive === 'v2' && delta.skip.has('RECENTLY-REMOVED-DATERANGES') ? 10 : MIN_VERSION;
  judge.expect(
    version >= leastVersion,
    () => `${said} has EXT-X-SKIP and EXT-X-VERSION:${version}, at least is ${leastVersion}`,
  );
  const merged = applyDelta(older, delta);
  judge.expect(merged !== undefined, () => `${said} skips segments that the playlist before did not have`);
  const difference = merged === undefined ? undefined : sameLists(full, merged);
  judge.expect(difference === undefined, () => `${said}, applied, differs from the full playlist: ${difference}`);
}

/** How many segments are past the skip boundary, by the narrowest and the widest reading of where it lies. */
function skippable(full: MediaPlaylist): { least: number; most: number } {
  const boundaryS = decimal(full.serverControl?.get('CAN-SKIP-UNTIL'));
  if (boundaryS === undefined) return { least: 0, most: 0 };
  const openS = full.open.parts.reduce((total, { durationS }) => total + durationS, 0);
  let startS = lengthS(full);
  let least = 0;
  let most = 0;
  for (const { durationS } of full.segments) {
    const endS = startS - durationS;
    if (endS - openS > boundaryS + BOUNDARY_TOLERANCE_S) least += 1;
    if (startS > boundaryS - BOUNDARY_TOLERANCE_S) most += 1;
    startS = endS;
  }
  return { least, most };
}

/** The first difference between two lists, `undefined` if they say the same. */
function sameLists(full: MediaPlaylist, other: MediaPlaylist): string | undefined {
  if (full.segments.length !== other.segments.length) {
    return `${other.segments.length} segments, not ${full.segments.length}`;
  }
  const others = timeline(other);
  // Without a date of its own, nobody knows when what follows a discontinuity was.
  let isDated = true;
  for (const [index, { segment, dateMs, discontinuityNumber }] of timeline(full).entries()) {
    const match = others[index];
    if (match === undefined) continue;
    if (segment.discontinuity) isDated = segment.statedDateMs !== undefined;
    const where = `msn ${segment.msn}`;
    const [wanted, got] = [segment, match.segment].map(
      ({ url, durationS, gap }) => `${url} ${durationS}${gap ? ' gap' : ''}`,
    );
    if (wanted !== got) return `${where} is ${got}, not ${wanted}`;
    if (segment.map?.url !== match.segment.map?.url) return `${where} has map ${match.segment.map?.url}`;
    if (match.discontinuityNumber !== discontinuityNumber) {
      return `${where} has discontinuity number ${match.discontinuityNumber}, not ${discontinuityNumber}`;
    }
    const shiftMs = Math.abs((match.dateMs ?? 0) - (dateMs ?? match.dateMs ?? 0));
    if (isDated && shiftMs > DATE_TOLERANCE_MS)
      return `${where} is ${Math.round(shiftMs)} ms off in EXT-X-PROGRAM-DATE-TIME`;
  }
  const lines = (playlist: MediaPlaylist): string => playlist.open.parts.map(({ line }) => line).join(' ');
  return lines(full) === lines(other) ? undefined : `the newest parts are ${lines(other)}, not ${lines(full)}`;
}

const queries: Rule = {
  id: 'L18',
  title: 'unknown query parameters do no harm; an access token goes on to child URIs',
  check(record) {
    const judge = new Judge();
    for (const { exchange, answer } of record.probes.filter(({ kind }) => kind === 'unknown-query')) {
      judge.expect(answer !== undefined, () => `${describeExchange(exchange)} is no playlist`);
    }
    const token = new URL(record.url).searchParams.get('token');
    if (token === null) judge.note('the URL has no token= parameter, so its way to child URIs was not looked at');
    for (const { name, url, versions } of token === null ? [] : record.playlists) {
      const media = versions.at(-1)?.playlist.segments.at(-1)?.url ?? url;
      for (const child of [url, media]) {
        const given = new URL(child).searchParams.get('token');
        judge.expect(given === token, () => `${name}: ${new URL(child).pathname} is listed without the token`);
      }
    }
    return judge.finding('no playlist was answered');
  },
};

/** Rules about delta updates and queries. */
export const DELTA_RULES: readonly Rule[] = [deltas, queries];
