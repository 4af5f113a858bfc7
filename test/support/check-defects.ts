import { type CheckReply, type CheckRequest, type Defect, failure } from './check-origin.ts';
import { FIRST_MSN } from './check-playlists.ts';

/** A defect, the one item that must find it, and what its evidence must say. */
export interface PlantedDefect extends Defect {
  readonly item: string;
  readonly name: string;
  readonly evidence: RegExp;
  /** How long it takes to be seen. */
  readonly seconds?: number;
}

type Of = Pick<CheckRequest, 'kind' | 'rendition'>;
type TextChange = (text: string, request: CheckRequest) => string;

const isLo = ({ kind, rendition }: Of): boolean => kind === 'playlist' && rendition === 'lo';
const isMedia = ({ kind }: Of): boolean => ['init', 'segment', 'part'].includes(kind);

const inPlaylists =
  (from: string | RegExp, to: string): TextChange =>
  (text, { kind }) =>
    kind === 'playlist' ? text.replaceAll(from, to) : text;
const inLo =
  (from: string | RegExp, to: string): TextChange =>
  (text, request) =>
    isLo(request) ? text.replaceAll(from, to) : text;
const inMultivariant =
  (from: string | RegExp, to: string): TextChange =>
  (text, { kind }) =>
    kind === 'multivariant' ? text.replace(from, to) : text;
const withHeader = (reply: CheckReply, name: string, value: string): CheckReply => ({
  ...reply,
  headers: { ...reply.headers, [name]: value },
});
const after = async <T>(ms: number, result: T): Promise<T> =>
  new Promise((resolve) => setTimeout(() => resolve(result), ms));
const isFarAhead = ({ query, openMsn }: CheckRequest): boolean => Number(query.get('_HLS_msn')) > openMsn + 1;
/** `_HLS_msn` without `_HLS_part`, of the segment that is that many after the open one. */
const asksWhole = ({ query, openMsn }: CheckRequest, ahead: number): boolean =>
  query.get('_HLS_msn') === String(openMsn + ahead) && !query.has('_HLS_part');
const isOld = ({ query, openMsn }: CheckRequest): boolean =>
  /^\d+$/.test(query.get('_HLS_msn') ?? '') && Number(query.get('_HLS_msn')) < openMsn - 1;

/** Ways to be wrong about the lines of playlists. */
export const PLAYLIST_DEFECTS: readonly PlantedDefect[] = [
  {
    item: 'L1',
    name: 'parts without PART-INF',
    text: inLo(/#EXT-X-PART-INF.*\n/g, ''),
    evidence: /without EXT-X-PART-INF/,
  },
  {
    ...{
      item: 'L1',
      name: 'parts longer than their target',
      evidence: /DURATION=0.25000.*longer than PART-TARGET=0.2/,
    },
    text: inLo('PART-TARGET=0.25000', 'PART-TARGET=0.2'),
  },
  {
    ...{ item: 'L1', name: 'a part duration that is not the media', evidence: /DURATION=0.24000.*holds 0.25000 s/ },
    text: inLo(/0\.25000(,URI="part-\d+-2)/g, '0.24000$1'),
  },
  {
    ...{ item: 'L1', name: 'segments that are not their parts', evidence: /24 frames, its parts 24, or not the same/ },
    reply: (reply, request) => {
      if (request.kind !== 'segment' || request.rendition !== 'lo' || reply.body.length === 0) return reply;
      const body = Buffer.from(reply.body);
      body.writeUInt8(body.readUInt8(body.length - 1) ^ 0xff, body.length - 1);
      return { ...reply, body };
    },
  },
  { item: 'L2', name: 'a short PART-HOLD-BACK', settings: { partHoldBackS: 0.625 }, evidence: /PART-HOLD-BACK=0.625/ },
  { item: 'L3', name: 'a short HOLD-BACK', settings: { holdBackS: 2 }, evidence: /HOLD-BACK=2 is less than 3 x/ },
  { item: 'L3', name: 'a short CAN-SKIP-UNTIL', settings: { skipBoundaryS: 5 }, evidence: /CAN-SKIP-UNTIL=5/ },
  {
    item: 'L4',
    name: 'another SERVER-CONTROL',
    text: inLo(',HOLD-BACK=3', ',HOLD-BACK=4'),
    evidence: /lo\/video.m3u8.*HOLD-BACK=4/,
  },
  {
    item: 'L6',
    name: 'keyframes that are not marked',
    text: inLo(',INDEPENDENT=YES', ''),
    evidence: /part-\d+-0.m4s" starts with an IDR/,
  },
  {
    ...{
      item: 'L6',
      name: 'marks on parts without a keyframe',
      evidence: /INDEPENDENT=YES does not start with an IDR/,
    },
    text: inLo(/(URI="part-\d+-1.m4s")/g, '$1,INDEPENDENT=YES'),
  },
  { item: 'L7', name: 'parts published in pairs', publishEachS: 0.5, evidence: /a part each \d+ ms, PART-TARGET=0.25/ },
  { item: 'L8', name: 'old parts in the playlist', settings: { partWindowS: 60 }, evidence: /still has parts/ },
  {
    ...{ item: 'L8', name: 'parts that go with their tag', evidence: /left the playlist and answers 404/ },
    reply: (reply, { kind, path, openMsn }) =>
      kind === 'part' && Number(/part-(\d+)/.exec(path)?.[1]) < openMsn - 3 ? failure(404) : reply,
  },
  {
    ...{ item: 'L9', name: 'a rendition with another TARGETDURATION', evidence: /TARGETDURATION differs/ },
    settings: { holdBackS: 6, skipBoundaryS: 12 },
    text: inLo('TARGETDURATION:1', 'TARGETDURATION:2'),
  },
  {
    item: 'L9',
    name: 'an EXTINF that is not the media',
    text: inLo(/1\.00000(,\nseg-113)/g, '1.00700$1'),
    evidence: /EXTINF:1.00700, holds 1.00000/,
  },
  {
    item: 'L10',
    name: 'a window of four segments',
    settings: { windowSegments: 4 },
    evidence: /has 4 segments, at least are 6/,
  },
  {
    ...{ item: 'L10', name: 'a PLAYLIST-TYPE in a sliding playlist', evidence: /EXT-X-PLAYLIST-TYPE:EVENT/ },
    text: inLo('#EXT-X-INDEPENDENT', '#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-INDEPENDENT'),
  },
  {
    ...{ item: 'L10', name: 'segments that go with their line', evidence: /left the playlist and answers 404/ },
    reply: (reply, { kind, path, openMsn }) =>
      kind === 'segment' && Number(/seg-(\d+)/.exec(path)?.[1]) < openMsn - 8 ? failure(404) : reply,
  },
  {
    ...{ item: 'L11', name: 'a listed segment that changes', evidence: /msn \d+: .*became.*\?moved/ },
    text: (text, request) => {
      const old = `seg-${request.openMsn - 3}.m4s`;
      return isLo(request) ? text.replace(old, `${old}?moved`) : text;
    },
  },
  {
    item: 'L22',
    name: 'no dates',
    text: inPlaylists(/#EXT-X-PROGRAM-DATE-TIME.*\n/g, ''),
    evidence: /no EXT-X-PROGRAM-DATE-TIME/,
  },
  {
    ...{ item: 'L22', name: 'no date after a discontinuity', evidence: /msn 106: no EXT-X-PROGRAM-DATE-TIME after/ },
    text: inLo(/(#EXT-X-DISCONTINUITY\n#EXT-X-MAP.*\n)#EXT-X-PROGRAM.*\n/g, '$1'),
  },
  {
    ...{
      item: 'L23',
      name: 'another init without a discontinuity',
      evidence: /without EXT-X-DISCONTINUITY: EXT-X-MAP becomes .*init-1/,
    },
    text: (text, { kind }) =>
      kind === 'playlist' ? text.replace('#EXT-X-DISCONTINUITY\n', '').replace('SEQUENCE:1\n', 'SEQUENCE:0\n') : text,
  },
  {
    ...{ item: 'L23', name: 'discontinuities that are not counted', evidence: /number becomes 1, then 0/ },
    text: inPlaylists('DISCONTINUITY-SEQUENCE:1', 'DISCONTINUITY-SEQUENCE:0'),
    seconds: 6,
  },
  {
    ...{
      item: 'L24',
      name: 'a listed segment that is not there',
      evidence: /seg-113.m4s is listed without a gap and answers 404/,
    },
    reply: (reply, { path }) => (path.endsWith(`lo/seg-${FIRST_MSN + 13}.m4s`) ? failure(404) : reply),
  },
  {
    ...{ item: 'L24', name: 'media that cannot be read', evidence: /cannot be read/ },
    reply: (reply, { path }) =>
      path.endsWith(`lo/seg-${FIRST_MSN + 13}.m4s`) ? { ...reply, body: reply.body.subarray(0, -5) } : reply,
  },
];

/** Ways to be wrong about directives, hints and reports. */
export const DIRECTIVE_DEFECTS: readonly PlantedDefect[] = [
  {
    ...{
      item: 'L12',
      name: 'whole segments answered too early',
      evidence: /_HLS_msn=\d+ -> 200 after \d+ ms ends with/,
    },
    answer: (request, origin) => {
      if (!asksWhole(request, 0)) return undefined;
      return Promise.resolve(origin.playlist({ ...request, query: new URLSearchParams() }));
    },
  },
  {
    ...{ item: 'L13', name: '_HLS_part alone taken', evidence: /_HLS_part=0 -> 200, not 400/ },
    answer: (request, origin) =>
      request.query.has('_HLS_part') && !request.query.has('_HLS_msn')
        ? Promise.resolve(origin.playlist(request))
        : undefined,
  },
  {
    ...{ item: 'L13', name: 'words taken for numbers', evidence: /_HLS_msn=abc -> 200, not 400/ },
    answer: (request, origin) =>
      request.query.get('_HLS_msn') === 'abc' ? Promise.resolve(origin.playlist(request)) : undefined,
  },
  {
    ...{ item: 'L14', name: 'requests far ahead held', evidence: /_HLS_msn=\d+ -> 503 in \d+ ms.*not 400/ },
    answer: (request) => (isFarAhead(request) ? after(600, failure(503)) : undefined),
  },
  {
    ...{ item: 'L14', name: 'parts far ahead held', evidence: /_HLS_part=\d+ -> 200 in \d+ ms.*not 400/ },
    answer: (request, origin) => {
      const isFar = Number(request.query.get('_HLS_part')) > 12 && request.query.has('_HLS_msn');
      return isFar ? after(300, undefined).then(() => origin.playlist(request)) : undefined;
    },
  },
  {
    ...{ item: 'L14', name: 'the next segment but one refused', evidence: /-> 400, although it is in reach/ },
    answer: (request) => (asksWhole(request, 1) ? Promise.resolve(failure(400)) : undefined),
  },
  {
    ...{
      item: 'L15',
      name: 'a hold without end',
      evidence: /-> 200 after \d+ ms, held for more than 3000 ms/,
      seconds: 8,
    },
    answer: (request, origin) =>
      asksWhole(request, 1) ? after(5_000, undefined).then(() => origin.playlist(request)) : undefined,
  },
  {
    ...{
      item: 'L15',
      name: 'a stale playlist after the hold',
      evidence: /-> 200 after \d+ ms without what was asked for/,
    },
    answer: (request, origin) => (asksWhole(request, 1) ? after(3_000, origin.playlist(request)) : undefined),
  },
  {
    ...{ item: 'L15', name: 'a hold that ends with 404', evidence: /-> 404 after \d+ ms, not 503/ },
    answer: (request) => (asksWhole(request, 1) ? after(3_000, failure(404)) : undefined),
  },
  {
    ...{ item: 'L16', name: 'old positions held', evidence: /-> 200 in 1\d{3} ms, not 200 at once/ },
    answer: (request, origin) =>
      isOld(request) ? after(1_500, undefined).then(() => origin.playlist(request)) : undefined,
  },
  {
    ...{ item: 'L16', name: 'an old playlist for old positions', evidence: /but msn \d+ part \d was there/ },
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
    ...{
      item: 'L17',
      name: 'deltas with a wrong segment',
      evidence: /applied, differs from the full playlist: msn \d+ is/,
    },
    text: (text, { query }) => (query.has('_HLS_skip') ? text.replace('#EXTINF:1.00000', '#EXTINF:0.99000') : text),
  },
  {
    ...{ item: 'L18', name: 'unknown parameters refused', evidence: /laddercast_check=1.* is no playlist/ },
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
    ...{ item: 'L19', name: 'hints at parts that never come', evidence: /other-\d+-\d.m4s" never became a part/ },
    text: inLo(/(PRELOAD-HINT.*)part-/g, '$1other-'),
  },
  {
    ...{ item: 'L19', name: 'hinted parts that do not block', evidence: /EXT-X-PRELOAD-HINT.*answered 404/ },
    answer: ({ rendition, isHinted }) => (rendition === 'lo' && isHinted ? Promise.resolve(failure(404)) : undefined),
  },
  {
    ...{ item: 'L19', name: 'hinted parts piece by piece', evidence: /answered piece by piece over \d+ ms/ },
    reply: (reply, { kind, rendition, isHinted }) =>
      kind === 'part' && rendition === 'lo' && isHinted ? { ...reply, sendMs: 500 } : reply,
  },
  {
    ...{ item: 'L19', name: 'anything for unknown media', evidence: /zz.m4s -> 200, not 404 \(unknown media\)/ },
    reply: (reply, { kind }) => (kind === 'unknown' ? { ...failure(404), status: 200 } : reply),
  },
  {
    ...{ item: 'L20', name: 'a rendition report missing', evidence: /no EXT-X-RENDITION-REPORT for audio\/audio.m3u8/ },
    text: inLo(/#EXT-X-RENDITION-REPORT.*audio.*\n/g, ''),
  },
  {
    ...{ item: 'L20', name: 'rendition reports of two segments ago', evidence: /LAST-MSN=\d+.*was there more than/ },
    text: (text, request) =>
      isLo(request) ? text.replace(/LAST-MSN=(\d+)/g, (_, msn: string) => `LAST-MSN=${Number(msn) - 2}`) : text,
  },
  {
    ...{ item: 'L20', name: 'rendition reports from the future', evidence: /LAST-MSN=\d+.*but the newest there was/ },
    text: (text, request) =>
      isLo(request) ? text.replace(/LAST-MSN=(\d+)/g, (_, msn: string) => `LAST-MSN=${Number(msn) + 3}`) : text,
  },
  {
    ...{ item: 'L21', name: 'dates of another time', evidence: /lo\/video.m3u8.* have dates 300 ms apart/ },
    text: (text, request) =>
      isLo(request)
        ? text.replace(/TIME:(.*)/g, (_, date: string) => `TIME:${new Date(Date.parse(date) + 300).toISOString()}`)
        : text,
  },
  {
    ...{
      item: 'L21',
      name: 'other discontinuity numbers',
      evidence: /lo\/video.m3u8.* have discontinuity numbers 1 and 0/,
    },
    text: (text, request) =>
      isLo(request)
        ? text.replace(/DISCONTINUITY-SEQUENCE:(\d)/, (_, n: string) => `DISCONTINUITY-SEQUENCE:${Number(n) + 1}`)
        : text,
  },
];

/** Ways to be wrong about the ladder and HTTP. */
export const DELIVERY_DEFECTS: readonly PlantedDefect[] = [
  {
    ...{ item: 'L5', name: 'round trips longer than parts', evidence: /round trips p95 \d+/ },
    answer: ({ kind }) => (kind === 'multivariant' ? after(400, undefined) : undefined),
  },
  {
    item: 'L25',
    name: 'no AVERAGE-BANDWIDTH',
    text: inMultivariant(/AVERAGE-BANDWIDTH=\d+,/, ''),
    evidence: /has no AVERAGE-BANDWIDTH/,
  },
  {
    item: 'L25',
    name: 'a wrong codec',
    text: inMultivariant(/avc1\.[0-9a-f]+/, 'avc1.640028'),
    evidence: /avc1.640028.*the media is avc1/,
  },
  {
    item: 'L25',
    name: 'sound without its codec',
    text: inMultivariant(',mp4a.40.2', ''),
    evidence: /the media is mp4a.40.2/,
  },
  {
    item: 'L25',
    name: 'a wrong size',
    text: inMultivariant('128x72', '1280x720'),
    evidence: /but the picture is 128x72/,
  },
  {
    item: 'L25',
    name: 'a wrong frame rate',
    text: inMultivariant('24.000', '30.000'),
    evidence: /but there are 24.000 frames a second/,
  },
  {
    ...{ item: 'L25', name: 'a bandwidth below the media', evidence: /but a segment has \d+ bit\/s/ },
    text: inMultivariant(
      /:BANDWIDTH=\d+,AVERAGE-BANDWIDTH=\d+(.*128x72)/,
      ':BANDWIDTH=70000,AVERAGE-BANDWIDTH=200000$1',
    ),
  },
  {
    ...{ item: 'L26', name: 'the smallest variant first', evidence: /first variant is not the one nearest to 2 Mbit/ },
    text: inMultivariant(/(#EXT-X-STREAM-INF.*\nhi.*\n)(#EXT-X-STREAM-INF.*\nlo.*\n)/, '$2$1'),
  },
  {
    item: 'L27',
    name: 'no I-frame playlist',
    text: inMultivariant(/#EXT-X-I-FRAME.*\n/, ''),
    evidence: /no EXT-X-I-FRAME-STREAM-INF/,
  },
  {
    ...{ item: 'L27', name: 'byte ranges of more than a keyframe', evidence: /holds 24 frames/ },
    text: (text, { kind }) => (kind === 'iframes' ? text.replace(/#EXT-X-BYTERANGE.*\n/g, '') : text),
  },
  {
    ...{ item: 'L28', name: 'playlists that are not gzipped', evidence: /video.m3u8 -> 200 is not gzipped/ },
    reply: (reply, { kind }) => (kind === 'playlist' ? withHeader(reply, 'content-encoding', 'none') : reply),
  },
  {
    ...{
      item: 'L28',
      name: 'media of no type',
      evidence: /init-\d.mp4 -> 200 has Content-Type "application\/octet-stream"/,
    },
    reply: (reply, request) =>
      isMedia(request) ? withHeader(reply, 'content-type', 'application/octet-stream') : reply,
  },
  { item: 'L29', name: 'TLS without HTTP/2', tls: 'h1', evidence: /HTTP\/2 is not offered/ },
  {
    ...{ item: 'L29', name: 'redirects for media', evidence: /seg-\d+.m4s redirects to/ },
    reply: (reply, { kind, path, query }) =>
      kind === 'segment' && !query.has('there') && reply.status === 200
        ? { ...reply, status: 302, headers: { ...reply.headers, location: `${path}?there` } }
        : reply,
  },
  {
    ...{ item: 'L30', name: 'media that may not be kept', evidence: /seg-\d+.m4s -> 200 has Cache-Control "no-cache"/ },
    reply: (reply, request) =>
      isMedia(request) && reply.status === 200 ? withHeader(reply, 'cache-control', 'no-cache') : reply,
  },
  {
    ...{ item: 'L30', name: 'failures that are kept', evidence: /-> 40\d has Cache-Control "max-age=600"/ },
    reply: (reply) => (reply.status >= 400 ? withHeader(reply, 'cache-control', 'max-age=600') : reply),
  },
  {
    ...{ item: 'L30', name: 'plain playlists kept for long', evidence: /Cache-Control "max-age=6", more than half/ },
    reply: (reply, { kind, query }) =>
      kind === 'playlist' && !query.has('_HLS_msn') ? withHeader(reply, 'cache-control', 'max-age=6') : reply,
  },
  {
    ...{
      item: 'L30',
      name: 'blocking answers that may not be kept',
      evidence: /_HLS_part=\d+ -> 200 has Cache-Control "no-cache", less than/,
    },
    reply: (reply, { kind, query }) =>
      kind === 'playlist' && query.has('_HLS_msn') && reply.status === 200
        ? withHeader(reply, 'cache-control', 'no-cache')
        : reply,
  },
  {
    ...{ item: 'L31', name: 'failures without CORS', evidence: /-> 40\d has Access-Control-Allow-Origin ""/ },
    reply: (reply) => (reply.status >= 400 ? { ...reply, headers: { 'cache-control': 'no-store' } } : reply),
  },
  {
    ...{ item: 'L31', name: 'preflights that refuse Range', evidence: /allows headers "X-Other", not Range/i },
    reply: (reply, { method }) =>
      method === 'OPTIONS' ? withHeader(reply, 'access-control-allow-headers', 'X-Other') : reply,
  },
  {
    ...{ item: 'L31', name: 'ranges that are not exposed', evidence: /exposes "etag"/ },
    reply: (reply) => withHeader(reply, 'access-control-expose-headers', 'ETag'),
  },
  {
    ...{
      item: 'L32',
      name: 'segments sent slowly',
      evidence: /segment \/live\/lo\/seg-\d+.m4s of 1.000 s took 0.\d+ s/,
    },
    reply: (reply, { kind, rendition }) =>
      kind === 'segment' && rendition === 'lo' ? { ...reply, sendMs: 800 } : reply,
  },
];
