import { beforeAll, describe, expect, it } from 'vitest';
import { type CheckRequest, type Defect, failure } from '../support/check-origin.ts';
import { after, withHeader, CheckRuns, findsEach, type PlantedDefect } from '../support/check-runs.ts';

const isMedia = ({ kind }: CheckRequest): boolean => ['init', 'segment', 'part'].includes(kind);

const inMultivariant =
  (from: string | RegExp, to: string): NonNullable<Defect['text']> =>
  (text, { kind }) =>
    kind === 'multivariant' ? text.replace(from, to) : text;

const DEFECTS: readonly PlantedDefect[] = [
  {
    item: 'L5',
    name: 'round trips longer than parts',
    evidence: /round trips p95 \d+/,
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
    item: 'L25',
    name: 'a bandwidth below the media',
    evidence: /but a segment has \d+ bit\/s/,
    text: inMultivariant(
      /:BANDWIDTH=\d+,AVERAGE-BANDWIDTH=\d+(.*128x72)/,
      ':BANDWIDTH=70000,AVERAGE-BANDWIDTH=200000$1',
    ),
  },
  {
    item: 'L26',
    name: 'the smallest variant first',
    evidence: /first variant is not the one nearest to 2 Mbit/,
    text: inMultivariant(/(#EXT-X-STREAM-INF.*\nhi.*\n)(#EXT-X-STREAM-INF.*\nlo.*\n)/, '$2$1'),
  },
  {
    item: 'L27',
    name: 'no I-frame playlist',
    text: inMultivariant(/#EXT-X-I-FRAME.*\n/, ''),
    evidence: /no EXT-X-I-FRAME-STREAM-INF/,
  },
  {
    item: 'L27',
    name: 'byte ranges of more than a keyframe',
    evidence: /holds 24 frames/,
    text: (text, { kind }) => (kind === 'iframes' ? text.replace(/#EXT-X-BYTERANGE.*\n/g, '') : text),
  },
  {
    item: 'L28',
    name: 'playlists that are not gzipped',
    evidence: /video.m3u8 -> 200 is not gzipped/,
    reply: (reply, { kind }) => (kind === 'playlist' ? withHeader(reply, 'content-encoding', 'none') : reply),
  },
  {
    item: 'L28',
    name: 'media of no type',
    evidence: /init-\d.mp4 -> 200 has Content-Type "application\/octet-stream"/,
    reply: (reply, request) =>
      isMedia(request) ? withHeader(reply, 'content-type', 'application/octet-stream') : reply,
  },
  { item: 'L29', name: 'TLS without HTTP/2', tls: 'h1', evidence: /HTTP\/2 is not offered/ },
  {
    item: 'L29',
    name: 'redirects for media',
    evidence: /seg-\d+.m4s redirects to/,
    reply: (reply, { kind, path, query }) =>
      kind === 'segment' && !query.has('there') && reply.status === 200
        ? { ...reply, status: 302, headers: { ...reply.headers, location: `${path}?there` } }
        : reply,
  },
  {
    item: 'L30',
    name: 'media that may not be kept',
    evidence: /seg-\d+.m4s -> 200 has Cache-Control "no-cache"/,
    reply: (reply, request) =>
      isMedia(request) && reply.status === 200 ? withHeader(reply, 'cache-control', 'no-cache') : reply,
  },
  {
    item: 'L30',
    name: 'failures that are kept',
    evidence: /-> 40\d has Cache-Control "max-age=600"/,
    reply: (reply) => (reply.status >= 400 ? withHeader(reply, 'cache-control', 'max-age=600') : reply),
  },
  {
    item: 'L30',
    name: 'plain playlists kept for long',
    evidence: /Cache-Control "max-age=6", more than half/,
    reply: (reply, { kind, query }) =>
      kind === 'playlist' && !query.has('_HLS_msn') ? withHeader(reply, 'cache-control', 'max-age=6') : reply,
  },
  {
    item: 'L30',
    name: 'blocking answers that may not be kept',
    evidence: /_HLS_part=\d+ -> 200 has Cache-Control "no-cache", less than/,
    reply: (reply, { kind, query }) =>
      kind === 'playlist' && query.has('_HLS_msn') && reply.status === 200
        ? withHeader(reply, 'cache-control', 'no-cache')
        : reply,
  },
  {
    item: 'L31',
    name: 'failures without CORS',
    evidence: /-> 40\d has Access-Control-Allow-Origin ""/,
    reply: (reply) => (reply.status >= 400 ? { ...reply, headers: { 'cache-control': 'no-store' } } : reply),
  },
  {
    item: 'L31',
    name: 'preflights that refuse Range',
    evidence: /allows headers "X-Other", not Range/i,
    reply: (reply, { method }) =>
      method === 'OPTIONS' ? withHeader(reply, 'access-control-allow-headers', 'X-Other') : reply,
  },
  {
    item: 'L31',
    name: 'ranges that are not exposed',
    evidence: /exposes "etag"/,
    reply: (reply) => withHeader(reply, 'access-control-expose-headers', 'ETag'),
  },
  {
    item: 'L32',
    name: 'segments sent slowly',
    evidence: /segment \/live\/lo\/seg-\d+.m4s of 1.000 s took 0.\d+ s/,
    reply: (reply, { kind, rendition }) =>
      kind === 'segment' && rendition === 'lo' ? { ...reply, sendMs: 800 } : reply,
  },
];

describe('a check of a ladder and its delivery', () => {
  const runs = new CheckRuns();
  const http: Defect = {};
  const https: Defect = { tls: 'h2' };
  const held: Defect = {
    answer: ({ query, openMsn }) =>
      query.get('_HLS_msn') === String(openMsn + 1) && !query.has('_HLS_part') ? after(3_000, failure(503)) : undefined,
  };

  beforeAll(() => runs.start([http, https, held, ...DEFECTS]));

  it('passes all that can be seen of a stream without defects', async () => {
    expect(await runs.failed(http)).toEqual([]);
    const { items, passed } = await runs.report(http);
    expect(passed).toBe(true);
    expect(items.map(({ id }) => id)).toEqual(Array.from({ length: 32 }, (_, index) => `L${index + 1}`));
    expect(items.filter(({ status }) => status !== 'pass').map(({ id, status }) => [id, status])).toEqual([
      ['L15', 'not-checkable'],
      ['L29', 'not-applicable'],
    ]);
  });

  it('sees HTTP/2 over TLS', async () => {
    expect(await runs.failed(https)).toEqual([]);
    const item = (await runs.report(https)).items.find(({ id }) => id === 'L29');
    expect(item?.status).toBe('pass');
    expect(item?.evidence).toContain('TLSv1.3, h2');
  });

  it('sees that a hold ends with 503', async () => {
    expect(await runs.failed(held)).toEqual([]);
    expect((await runs.report(held)).items.find(({ id }) => id === 'L15')?.status).toBe('pass');
  });

  findsEach(runs, DEFECTS);
});
