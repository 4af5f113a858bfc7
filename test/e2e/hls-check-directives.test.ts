import { beforeAll, describe } from 'vitest';
import { type CheckRequest, failure } from '../support/check-origin.ts';
import { after, inLo, isLo, CheckRuns, findsEach, type PlantedDefect } from '../support/check-runs.ts';

const isFarAhead = ({ query, openMsn }: CheckRequest): boolean => Number(query.get('_HLS_msn')) > openMsn + 1;

/** `_HLS_msn` without `_HLS_part`, of the segment that is that many after the open one. */
const asksWhole = ({ query, openMsn }: CheckRequest, ahead: number): boolean =>
  query.get('_HLS_msn') === String(openMsn + ahead) && !query.has('_HLS_part');

const isOld = ({ query, openMsn }: CheckRequest): boolean =>
  /^\d+$/.test(query.get('_HLS_msn') ?? '') && Number(query.get('_HLS_msn')) < openMsn - 1;

const DEFECTS: readonly PlantedDefect[] = [
  {
    item: 'L12',
    name: 'whole segments answered too early',
    evidence: /_HLS_msn=\d+ -> 200 after \d+ ms ends with/,
    answer: (request, origin) => {
      if (!asksWhole(request, 0)) return undefined;
      return Promise.resolve(origin.playlist({ ...request, query: new URLSearchParams() }));
    },
  },
  {
    item: 'L13',
    name: '_HLS_part alone taken',
    evidence: /_HLS_part=0 -> 200, not 400/,
    answer: (request, origin) =>
      request.query.has('_HLS_part') && !request.query.has('_HLS_msn')
        ? Promise.resolve(origin.playlist(request))
        : undefined,
  },
  {
    item: 'L13',
    name: 'words taken for numbers',
    evidence: /_HLS_msn=abc -> 200, not 400/,
    answer: (request, origin) =>
      request.query.get('_HLS_msn') === 'abc' ? Promise.resolve(origin.playlist(request)) : undefined,
  },
  {
    item: 'L14',
    name: 'requests far ahead held',
    evidence: /_HLS_msn=\d+ -> 503 in \d+ ms.*not 400/,
    answer: (request) => (isFarAhead(request) ? after(600, failure(503)) : undefined),
  },
  {
    item: 'L14',
    name: 'parts far ahead held',
    evidence: /_HLS_part=\d+ -> 200 in \d+ ms.*not 400/,
    answer: (request, origin) => {
      const isFar = Number(request.query.get('_HLS_part')) > 12 && request.query.has('_HLS_msn');
      return isFar ? after(300, undefined).then(() => origin.playlist(request)) : undefined;
    },
  },
  {
    item: 'L14',
    name: 'the next segment but one refused',
    evidence: /-> 400, although it is in reach/,
    answer: (request) => (asksWhole(request, 1) ? Promise.resolve(failure(400)) : undefined),
  },
  {
    item: 'L15',
    name: 'a hold without end',
    evidence: /-> 200 after \d+ ms, held for more than 3000 ms/,
    seconds: 8,
    answer: (request, origin) =>
      asksWhole(request, 1) ? after(5_000, undefined).then(() => origin.playlist(request)) : undefined,
  },
  {
    item: 'L15',
    name: 'a stale playlist after the hold',
    evidence: /-> 200 after \d+ ms without what was asked for/,
    answer: (request, origin) => (asksWhole(request, 1) ? after(3_000, origin.playlist(request)) : undefined),
  },
  {
    item: 'L15',
    name: 'a hold that ends with 404',
    evidence: /-> 404 after \d+ ms, not 503/,
    answer: (request) => (asksWhole(request, 1) ? after(3_000, failure(404)) : undefined),
  },
  {
    item: 'L16',
    name: 'old positions held',
    evidence: /-> 200 in 1\d{3} ms, not 200 at once/,
    answer: (request, origin) =>
      isOld(request) ? after(1_500, undefined).then(() => origin.playlist(request)) : undefined,
  },
  {
    item: 'L16',
    name: 'an old playlist for old positions',
    evidence: /but msn \d+ part \d was there/,
    answer: (request, origin) =>
      isOld(request) ? Promise.resolve(origin.playlist(request, origin.nowS() - 2)) : undefined,
  },
  {
    item: 'L17',
    name: 'deltas that skip too much',
    settings: { extraSkipped: 3 },
    evidence: /skips [56] segments, past the boundary are/,
  },
  {
    item: 'L17',
    name: 'deltas of an old version',
    settings: { deltaVersion: 8 },
    evidence: /EXT-X-SKIP and EXT-X-VERSION:8/,
  },
  {
    item: 'L17',
    name: 'deltas with a wrong segment',
    evidence: /applied, differs from the full playlist: msn \d+ is/,
    text: (text, { query }) => (query.has('_HLS_skip') ? text.replace('#EXTINF:1.00000', '#EXTINF:0.99000') : text),
  },
  {
    item: 'L18',
    name: 'unknown parameters refused',
    evidence: /laddercast_check=1.* is no playlist/,
    answer: ({ query }) => (query.has('zz') ? Promise.resolve(failure(400)) : undefined),
  },
  { item: 'L19', name: 'no hint', text: inLo(/#EXT-X-PRELOAD-HINT.*\n/g, ''), evidence: /: 0 EXT-X-PRELOAD-HINT/ },
  {
    item: 'L19',
    name: 'two hints',
    text: inLo(/(#EXT-X-PRELOAD-HINT.*\n)/g, '$1$1'),
    evidence: /: 2 EXT-X-PRELOAD-HINT/,
  },
  {
    item: 'L19',
    name: 'hints at parts that never come',
    evidence: /other-\d+-\d.m4s" never became a part/,
    text: inLo(/(PRELOAD-HINT.*)part-/g, '$1other-'),
  },
  {
    item: 'L19',
    name: 'hinted parts that do not block',
    evidence: /EXT-X-PRELOAD-HINT.*answered 404/,
    answer: ({ rendition, isHinted }) => (rendition === 'lo' && isHinted ? Promise.resolve(failure(404)) : undefined),
  },
  {
    item: 'L19',
    name: 'hinted parts piece by piece',
    evidence: /answered piece by piece over \d+ ms/,
    reply: (reply, { kind, rendition, isHinted }) =>
      kind === 'part' && rendition === 'lo' && isHinted ? { ...reply, sendMs: 500 } : reply,
  },
  {
    item: 'L19',
    name: 'anything for unknown media',
    evidence: /zz.m4s -> 200, not 404 \(unknown media\)/,
    reply: (reply, { kind }) => (kind === 'unknown' ? { ...failure(404), status: 200 } : reply),
  },
  {
    item: 'L20',
    name: 'a rendition report missing',
    evidence: /no EXT-X-RENDITION-REPORT for audio\/audio.m3u8/,
    text: inLo(/#EXT-X-RENDITION-REPORT.*audio.*\n/g, ''),
  },
  {
    item: 'L20',
    name: 'rendition reports of two segments ago',
    evidence: /LAST-MSN=\d+.*was there more than/,
    text: (text, request) =>
      isLo(request) ? text.replace(/LAST-MSN=(\d+)/g, (_, msn: string) => `LAST-MSN=${Number(msn) - 2}`) : text,
  },
  {
    item: 'L20',
    name: 'rendition reports from the future',
    evidence: /LAST-MSN=\d+.*but the newest there was/,
    text: (text, request) =>
      isLo(request) ? text.replace(/LAST-MSN=(\d+)/g, (_, msn: string) => `LAST-MSN=${Number(msn) + 3}`) : text,
  },
  {
    item: 'L21',
    name: 'dates of another time',
    evidence: /lo\/video.m3u8.* have dates 300 ms apart/,
    text: (text, request) =>
      isLo(request)
        ? text.replace(/TIME:(.*)/g, (_, date: string) => `TIME:${new Date(Date.parse(date) + 300).toISOString()}`)
        : text,
  },
  {
    item: 'L21',
    name: 'other discontinuity numbers',
    evidence: /lo\/video.m3u8.* have discontinuity numbers 1 and 0/,
    text: (text, request) =>
      isLo(request)
        ? text.replace(/DISCONTINUITY-SEQUENCE:(\d)/, (_, n: string) => `DISCONTINUITY-SEQUENCE:${Number(n) + 1}`)
        : text,
  },
];

describe('a check of directives, hints and reports', () => {
  const runs = new CheckRuns();
  beforeAll(() => runs.start(DEFECTS));

  findsEach(runs, DEFECTS);
});
