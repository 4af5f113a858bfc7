import { setTimeout as delay } from 'node:timers/promises';
import { header, type RequestOptions } from '../http-client.ts';
import type { ObservedPlaylist } from '../record.ts';
import { newest } from '../record.ts';
import type { ProbeSession } from './session.ts';

const ROUND_TRIPS = 20;
const ROUND_TRIP_PAUSE_MS = 50;
const MAX_MEDIA_BYTES = 64 * 1024 * 1024;

/** Small things of HTTP: codings, conditional requests, ranges, CORS, query parameters that mean nothing. */
export async function probeTransport(session: ProbeSession, playlist: ObservedPlaylist): Promise<void> {
  const { url } = playlist;
  await session.askPlaylist('unknown-query', playlist, 'laddercast_check=1&zz=%2F');
  const options: RequestOptions = { signal: session.signal };
  await session.ask('identity-playlist', playlist, url, options);
  const requestHeaders = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'range' };
  await session.ask('preflight', playlist, url, { ...options, method: 'OPTIONS', headers: requestHeaders });
  const segment = newest(playlist).playlist.segments.findLast(({ gap }) => !gap);
  if (segment === undefined || segment.range !== undefined || playlist.role === 'subtitles') return;
  const media = { ...options, maxBytes: MAX_MEDIA_BYTES };
  await session.ask('range', playlist, segment.url, { ...media, headers: { range: 'bytes=4-7' } });
  const whole = await session.ask('gzip-media', playlist, segment.url, { ...media, gzip: true });
  const etag = header(whole, 'etag');
  if (etag !== '')
    await session.ask('conditional', playlist, segment.url, { ...media, headers: { 'if-none-match': etag } });
  await session.ask('preflight', playlist, segment.url, { ...options, method: 'OPTIONS', headers: requestHeaders });
}

/** Measures round trips with small requests, one after the other. */
export async function measureRoundTrips(session: ProbeSession, url: string): Promise<void> {
  for (let count = 0; count < ROUND_TRIPS && !session.signal.aborted; count += 1) {
    const { status, sentAtMs, headersAtMs } = await session.client.request(url, { gzip: true, signal: session.signal });
    if (status > 0) session.roundTripsMs.push(headersAtMs - sentAtMs);
    await delay(ROUND_TRIP_PAUSE_MS);
  }
}
