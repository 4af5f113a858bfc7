import { describeExchange, type Exchange, header } from '../http-client.ts';
import { Judge, notApplicable, notCheckable, type Rule } from '../judge.ts';
import type { CheckRecord, Probe, ProbeKind } from '../record.ts';
import { lengthS } from '../m3u8/timeline.ts';
import { newest } from '../record.ts';

const PLAYLIST_TYPES = ['application/vnd.apple.mpegurl', 'audio/mpegurl', 'application/x-mpegurl'];
const MEDIA_TYPES = ['video/mp4', 'video/iso.segment', 'audio/mp4', 'application/mp4', 'audio/iso.segment'];
/** Media that takes longer to send than this share of its duration is throttled, or the link is too slow to tell. */
const MAX_TRANSFER_SHARE = 0.5;

/** Successful answers with a playlist, the first few of each. */
function playlistAnswers({ multivariant, playlists }: CheckRecord): Exchange[] {
  const media = playlists.flatMap(({ versions }) => versions.slice(0, 5).map(({ exchange }) => exchange));
  return multivariant === undefined ? media : [multivariant.exchange, ...media];
}

function mediaAnswers({ media }: CheckRecord): Exchange[] {
  return [...media.values()].map(({ exchange }) => exchange).filter(({ status }) => status === 200 || status === 206);
}

function probesOf({ probes }: CheckRecord, ...kinds: ProbeKind[]): Probe[] {
  return probes.filter(({ kind }) => kinds.includes(kind));
}

const codings: Rule = {
  id: 'L28',
  title: 'playlists are gzipped, media is not; MIME types are right',
  check(record) {
    const judge = new Judge();
    for (const exchange of playlistAnswers(record)) {
      judge.expect(
        header(exchange, 'content-encoding') === 'gzip',
        () => `${describeExchange(exchange)} is not gzipped`,
      );
      const type = header(exchange, 'content-type');
      judge.expect(isOneOf(type, PLAYLIST_TYPES), () => `${describeExchange(exchange)} has Content-Type "${type}"`);
    }
    for (const { exchange } of probesOf(record, 'identity-playlist')) {
      const coding = header(exchange, 'content-encoding');
      const isPlain = coding === '' || coding === 'identity';
      judge.expect(isPlain, () => `${describeExchange(exchange)} is ${coding} although it was not asked for`);
    }
    for (const { exchange } of probesOf(record, 'gzip-media')) {
      const coding = header(exchange, 'content-encoding');
      judge.expect(coding === '', () => `${describeExchange(exchange)} has Content-Encoding ${coding}`);
    }
    for (const exchange of mediaAnswers(record)) {
      const type = header(exchange, 'content-type');
      judge.expect(isOneOf(type, MEDIA_TYPES), () => `${describeExchange(exchange)} has Content-Type "${type}"`);
    }
    return judge.finding('nothing was answered');
  },
};

function isOneOf(type: string, types: readonly string[]): boolean {
  return types.includes(type.split(';')[0]?.trim().toLowerCase() ?? '');
}

const secure: Rule = {
  id: 'L29',
  title: 'HTTP/2 over TLS 1.2 or newer, one server for all renditions, no redirects for media',
  check(record) {
    const judge = new Judge();
    for (const { exchange } of record.media.values()) {
      judge.expect(exchange.redirects === 0, () => `${exchange.url} redirects to ${exchange.finalUrl}`);
    }
    const origins = new Set(record.playlists.map(({ url }) => new URL(url).host));
    judge.expect(origins.size === 1, () => `renditions are on different servers: ${[...origins].join(', ')}`);
    if (record.secure !== undefined) {
      const { tlsVersion = 'none', alpn = 'none', http2Status, failure } = record.secure;
      judge.expect(
        alpn === 'h2',
        () => `HTTP/2 is not offered: ALPN ${alpn}${failure === undefined ? '' : `, ${failure}`}`,
      );
      judge.expect(/^TLSv1\.[23]$/.test(tlsVersion), () => `TLS ${tlsVersion}`);
      judge.expect(http2Status === 200, () => `over HTTP/2 the playlist answers ${failure ?? http2Status}`);
      judge.note(`${tlsVersion}, ${alpn}`);
    }
    const finding = judge.finding('nothing was fetched');
    if (record.secure !== undefined || finding.status === 'fail') return finding;
    return notApplicable('plain HTTP; low latency on Apple devices needs HTTP/2 over TLS. No redirects, one server');
  },
};

const caching: Rule = {
  id: 'L30',
  title: 'media may be cached for long, playlists shortly, blocking answers longer, errors not; ETags work',
  check(record) {
    const judge = new Judge();
    for (const exchange of mediaAnswers(record)) {
      const said = `${describeExchange(exchange)} has Cache-Control "${header(exchange, 'cache-control')}"`;
      const { maxAgeS, isStored } = cacheControl(exchange);
      judge.expect(isStored && maxAgeS >= longestS(record), () => `${said}; media outlives the playlist`);
      judge.recommend(said.includes('immutable'), () => 'media should be "immutable"');
    }
    for (const { versions, reloads } of record.playlists) {
      const targetS = versions[0]?.playlist.targetDurationS ?? 0;
      const plain = versions.slice(0, 1).filter(({ playlist }) => !playlist.ended);
      for (const { exchange } of plain) {
        const said = `${describeExchange(exchange)} has Cache-Control "${header(exchange, 'cache-control')}"`;
        const { maxAgeS } = cacheControl(exchange);
        judge.expect(maxAgeS <= targetS / 2, () => `${said}, more than half of TARGETDURATION:${targetS}`);
      }
      for (const { exchange } of reloads.filter(({ exchange: { status } }) => status === 200)) {
        const said = `${describeExchange(exchange)} has Cache-Control "${header(exchange, 'cache-control')}"`;
        const { maxAgeS, isStored } = cacheControl(exchange);
        judge.expect(isStored && maxAgeS >= targetS, () => `${said}, less than TARGETDURATION:${targetS}`);
      }
    }
    for (const { exchange } of record.probes.filter(({ exchange: { status } }) => status >= 400)) {
      const { maxAgeS, isStored } = cacheControl(exchange);
      const control = header(exchange, 'cache-control');
      judge.expect(!isStored || maxAgeS <= 1, () => `${describeExchange(exchange)} has Cache-Control "${control}"`);
    }
    for (const { exchange } of probesOf(record, 'conditional')) {
      judge.expect(
        exchange.status === 304,
        () => `${describeExchange(exchange)} to If-None-Match with its own ETag, not 304`,
      );
    }
    return judge.finding('nothing was answered');
  },
};

/** The longest playlist; media may be asked for that long. */
function longestS({ playlists }: CheckRecord): number {
  const lengths = playlists
    .filter(({ versions }) => versions.length > 0)
    .map((observed) => lengthS(newest(observed).playlist));
  return Math.max(0, ...lengths);
}

/** What a shared cache may do; without any header it stores nothing. */
function cacheControl(exchange: Exchange): { maxAgeS: number; isStored: boolean } {
  const control = header(exchange, 'cache-control').toLowerCase();
  const seconds = /s-maxage=(\d+)/.exec(control)?.[1] ?? /max-age=(\d+)/.exec(control)?.[1];
  const isStored = seconds !== undefined && !/no-store|no-cache|private/.test(control);
  return { maxAgeS: isStored ? Number(seconds) : 0, isStored };
}

const cors: Rule = {
  id: 'L31',
  title: 'CORS on every answer, failures and preflights too; ranges work and their headers are exposed',
  check(record) {
    const judge = new Judge();
    const answers = [
      ...playlistAnswers(record),
      ...mediaAnswers(record),
      ...record.probes.map(({ exchange }) => exchange),
    ];
    for (const exchange of answers.filter(({ status }) => status > 0)) {
      const allowed = header(exchange, 'access-control-allow-origin');
      const isAllowed = allowed === '*' || allowed === 'https://player.example';
      judge.expect(isAllowed, () => `${describeExchange(exchange)} has Access-Control-Allow-Origin "${allowed}"`);
    }
    for (const { exchange } of probesOf(record, 'preflight')) {
      const isGood = exchange.status >= 200 && exchange.status < 300;
      judge.expect(isGood, () => `${describeExchange(exchange)}, not 2xx`);
      const headers = header(exchange, 'access-control-allow-headers').toLowerCase();
      judge.expect(
        /\brange\b|\*/.test(headers),
        () => `${describeExchange(exchange)} allows headers "${headers}", not Range`,
      );
    }
    for (const { exchange } of probesOf(record, 'range')) {
      const range = header(exchange, 'content-range');
      const isPart = exchange.status === 206 && /^bytes 4-7\/\d+$/.test(range);
      judge.expect(isPart, () => `${describeExchange(exchange)} to Range: bytes=4-7 has Content-Range "${range}"`);
      const exposed = header(exchange, 'access-control-expose-headers').toLowerCase();
      const isExposed =
        exposed.includes('*') || (exposed.includes('content-length') && exposed.includes('content-range'));
      judge.expect(
        isExposed,
        () => `${describeExchange(exchange)} exposes "${exposed}", not Content-Length and Content-Range`,
      );
    }
    return judge.finding('nothing was answered');
  },
};

const fullSpeed: Rule = {
  id: 'L32',
  title: 'segments and parts are sent at full speed',
  check(record) {
    const judge = new Judge();
    let slowest = 0;
    for (const { exchange, facts, playlist, what } of record.media.values()) {
      if (facts === undefined) continue;
      const takenS = Math.max(0, exchange.endedAtMs - exchange.headersAtMs - record.lagMs) / 1_000;
      const share = takenS / facts.durationS;
      slowest = Math.max(slowest, share);
      const said = `${playlist.name}: ${what} ${new URL(exchange.url).pathname} of ${facts.durationS.toFixed(3)} s took ${takenS.toFixed(3)} s`;
      judge.expect(share <= MAX_TRANSFER_SHARE, () => said);
    }
    judge.note(`the slowest took ${(slowest * 100).toFixed(0)} % of its duration`);
    return record.media.size === 0 ? notCheckable('no media was fetched') : judge.finding('no media could be read');
  },
};

/** Rules about HTTP. */
export const TRANSPORT_RULES: readonly Rule[] = [codings, secure, caching, cors, fullSpeed];
