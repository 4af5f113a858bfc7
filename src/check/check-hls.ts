import { EventEmitter, setMaxListeners } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type Clock, systemClock } from '../util/clock.ts';
import { AppError } from '../util/errors.ts';
import { type Exchange, HttpClient, withoutBody } from './http-client.ts';
import { isMultivariant, type Listing, type Multivariant, parseMultivariant } from './m3u8/multivariant.ts';
import { MediaSampler } from './media-sampler.ts';
import { PlaylistObserver } from './playlist-observer.ts';
import { probeBlocking } from './probes/blocking-probes.ts';
import { probeDelta } from './probes/delta-probes.ts';
import { probeHints } from './probes/hint-probes.ts';
import { probeIFrames } from './probes/i-frame-probes.ts';
import { probeRemoved } from './probes/removal-probes.ts';
import { probeSecure } from './probes/secure-probe.ts';
import { ProbeSession } from './probes/session.ts';
import { measureRoundTrips, probeTransport } from './probes/transport-probes.ts';
import type { CheckRecord, ObservedPlaylist, PlaylistVersion } from './record.ts';
import { judgeRecord, type Report } from './report.ts';

/** How to check. */
export interface CheckOptions {
  /** How long playlists are watched; 20 s if left out, at most 600 s. */
  readonly seconds?: number;
  /** Takes any certificate. */
  readonly insecure?: boolean;
  readonly clock?: Clock;
}

const DEFAULT_SECONDS = 20;
const MAX_SECONDS = 600;
const LAG_RESOLUTION_MS = 10;
const MAX_PLAYLISTS = 32;
const MAX_I_FRAME_PLAYLISTS = 8;
const MAX_TOTAL_BYTES = 2 * 1024 ** 3;

/**
 * Watches an HLS stream from the outside and judges it by the low-latency checklist.
 * @param url of a multivariant or a media playlist
 * @throws AppError `BAD_REQUEST` for what is no HTTP URL, `UNAVAILABLE` if nothing answers, `BAD_MEDIA` if it is no playlist
 */
export async function checkHls(url: string, options: CheckOptions = {}): Promise<Report> {
  return judgeRecord(await recordHls(url, options));
}

/** Watches, without judging. Throws what `checkHls` does. */
export async function recordHls(url: string, options: CheckOptions = {}): Promise<CheckRecord> {
  const { clock = systemClock, insecure = false, seconds = DEFAULT_SECONDS } = options;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new AppError('BAD_REQUEST', `${JSON.stringify(url)} is not an http or https URL`);
  }
  if (!(seconds > 0 && seconds <= MAX_SECONDS)) {
    throw new AppError('BAD_REQUEST', `${seconds} s cannot be watched; give more than 0 and at most ${MAX_SECONDS}`);
  }
  const client = new HttpClient({ clock, insecure, maxTotalBytes: MAX_TOTAL_BYTES });
  try {
    return await watch(url, client, { clock, insecure, seconds });
  } finally {
    client.close();
  }
}

async function watch(
  url: string,
  client: HttpClient,
  { clock, insecure, seconds }: { clock: Clock; insecure: boolean; seconds: number },
): Promise<CheckRecord> {
  const { exchange, text } = await loadPlaylist(client, url);
  const first = isMultivariant(text) ? parseMultivariant(text, exchange.finalUrl) : undefined;
  const sampler = new MediaSampler(client);
  const over = new AbortController();
  setMaxListeners(0, over.signal);
  const changes = new EventEmitter().setMaxListeners(0);
  const onVersion = (version: PlaylistVersion, of: ObservedPlaylist): void => {
    sampler.see(version, of);
    changes.emit('version');
  };
  const observers = targetsOf(url, first).map((target) => new PlaylistObserver(target, { client, clock, onVersion }));
  await Promise.all(observers.map((observer) => observer.load()));
  const loaded = observers.filter(({ versions }) => versions.length > 0);
  const [anyPlaylist] = loaded;
  if (anyPlaylist === undefined) throw noMedia(observers);
  const session = new ProbeSession({ client, clock, sampler, changes, signal: over.signal });
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  const timer = clock.wait(seconds * 1_000).then(() => over.abort());
  const secure = probeSecure(exchange.finalUrl, insecure);
  await Promise.all([
    ...loaded.map((observer) => observer.follow(over.signal)),
    ...loaded.map((observer) => probe(session, observer)),
    measureRoundTrips(session, url),
    ...(loaded.every(({ versions }) => versions[0]?.playlist.ended) ? [] : [timer]),
  ]);
  over.abort();
  lag.disable();
  await sampler.finished();
  await Promise.all(loaded.map((observer) => probeRemoved(session, observer)));
  const iFrames = first?.iFrames.slice(0, MAX_I_FRAME_PLAYLISTS) ?? [];
  return {
    url,
    observedS: seconds,
    lagMs: Math.max(0, lag.max / 1e6 - LAG_RESOLUTION_MS),
    multivariant: first && { first, last: await reload(client, url, first), exchange: withoutBody(exchange) },
    playlists: observers.filter(({ versions, failures }) => versions.length > 0 || failures.length > 0),
    iFrames: await Promise.all(iFrames.map((listing) => probeIFrames(session, listing, anyPlaylist))),
    media: sampler.media,
    probes: session.probes,
    deltas: session.deltas,
    hints: session.hints,
    roundTripsMs: session.roundTripsMs,
    secure: await secure,
  };
}

/** What needs the stream's progress runs beside the observation; the rest, one request after the other. */
async function probe(session: ProbeSession, observer: PlaylistObserver): Promise<void> {
  await Promise.all([
    probeBlocking(session, observer),
    probeHints(session, observer),
    probeTransport(session, observer).then(() => probeDelta(session, observer)),
  ]);
}

async function loadPlaylist(client: HttpClient, url: string): Promise<{ exchange: Exchange; text: string }> {
  const exchange = await client.request(url, { gzip: true });
  const { status, failure, body, headers } = exchange;
  if (failure !== undefined) throw new AppError('UNAVAILABLE', `${url} gave no answer: ${failure}`);
  if (status !== 200) throw new AppError('UNAVAILABLE', `${url} answered ${status}; is the broadcast live?`);
  const text = body.toString();
  if (!text.startsWith('#EXTM3U')) {
    const type = headers['content-type'] ?? 'no content type';
    throw new AppError('BAD_MEDIA', `${url} is no HLS playlist: it does not begin with #EXTM3U (${type})`);
  }
  return { exchange, text };
}

async function reload(client: HttpClient, url: string, known: Multivariant): Promise<Multivariant> {
  const { status, body, finalUrl } = await client.request(url, { gzip: true });
  return status === 200 ? parseMultivariant(body.toString(), finalUrl) : known;
}

/** Every media playlist once, with all tags that list it. */
function targetsOf(url: string, multivariant: Multivariant | undefined) {
  if (multivariant === undefined) return [{ name: nameOf(url), url, role: 'video' as const, listings: [] }];
  const byUrl = new Map<string, { name: string; url: string; role: PlaylistObserver['role']; listings: Listing[] }>();
  const add = (listing: Listing, role: PlaylistObserver['role']): void => {
    if (listing.url === undefined || !URL.canParse(listing.url)) return;
    const target = byUrl.get(listing.url) ?? { name: nameOf(listing.url), url: listing.url, role, listings: [] };
    target.listings.push(listing);
    byUrl.set(listing.url, target);
  };
  for (const listing of multivariant.media) {
    const type = listing.attributes.get('TYPE');
    if (type !== 'CLOSED-CAPTIONS')
      add(listing, type === 'SUBTITLES' ? 'subtitles' : type === 'AUDIO' ? 'audio' : 'video');
  }
  for (const listing of multivariant.variants) add(listing, 'video');
  return [...byUrl.values()].slice(0, MAX_PLAYLISTS);
}

function nameOf(url: string): string {
  return new URL(url).pathname.split('/').slice(-2).join('/');
}

function noMedia(observers: readonly PlaylistObserver[]): AppError {
  const [first] = observers.flatMap(({ failures }) => failures);
  const reason = first === undefined ? 'it lists none' : `${first.url}: ${first.failure ?? first.status}`;
  return new AppError('BAD_MEDIA', `no media playlist can be read: ${reason}`);
}
