import type { Clock } from '../util/clock.ts';
import { type Exchange, type HttpClient, withoutBody, withQuery } from './http-client.ts';
import { type MediaPlaylist, parseMediaPlaylist } from './m3u8/media-playlist.ts';
import type { Listing } from './m3u8/multivariant.ts';
import { nextPosition, type Position, reaches } from './m3u8/timeline.ts';
import type { BlockingReload, ObservedPlaylist, PlaylistVersion } from './record.ts';
import { canBlock, newest } from './record.ts';

/** An exchange about a playlist, and the playlist if it is one. */
export interface PlaylistAnswer {
  readonly exchange: Exchange;
  readonly playlist: MediaPlaylist | undefined;
}

/** Told of each new version. */
type VersionListener = (version: PlaylistVersion, observer: PlaylistObserver) => void;

/** Longest hold is 3 target durations; what is behind it gets this much more. */
const HOLD_SLACK_MS = 5_000;
const PAUSE_AFTER_FAILURE_MS = 500;
/** Of one playlist; far more than a check of the longest duration sees. */
const MAX_VERSIONS = 5_000;
const MAX_FAILURES = 100;

/** Asks for a media playlist. */
export async function fetchPlaylist(
  client: HttpClient,
  url: string,
  options: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<PlaylistAnswer> {
  const exchange = await client.request(url, { ...options, gzip: true });
  return { exchange: withoutBody(exchange), playlist: readPlaylist(exchange) };
}

function readPlaylist({ status, body, finalUrl }: Exchange): MediaPlaylist | undefined {
  if (status !== 200) return undefined;
  try {
    return parseMediaPlaylist(body.toString(), finalUrl);
  } catch {
    return undefined;
  }
}

/** The query of a blocking reload. */
export function positionQuery({ msn, part }: Position): string {
  return part === undefined ? `_HLS_msn=${msn}` : `_HLS_msn=${msn}&_HLS_part=${part}`;
}

/** How long a client has to be ready to be held. */
export function holdTimeoutMs({ targetDurationS = 6 }: MediaPlaylist): number {
  return 3_000 * Math.min(targetDurationS, 20) + HOLD_SLACK_MS;
}

/** Plays one media playlist as a player does: blocking reloads if they are offered, else again and again. */
export class PlaylistObserver implements ObservedPlaylist {
  readonly name: string;
  readonly url: string;
  readonly role: ObservedPlaylist['role'];
  readonly listings: readonly Listing[];
  readonly versions: PlaylistVersion[] = [];
  readonly reloads: BlockingReload[] = [];
  readonly failures: Exchange[] = [];
  readonly #client: HttpClient;
  readonly #clock: Clock;
  readonly #onVersion: VersionListener;

  constructor(
    target: Pick<ObservedPlaylist, 'name' | 'url' | 'role' | 'listings'>,
    { client, clock, onVersion }: { client: HttpClient; clock: Clock; onVersion: VersionListener },
  ) {
    this.name = target.name;
    this.url = target.url;
    this.role = target.role;
    this.listings = target.listings;
    this.#client = client;
    this.#clock = clock;
    this.#onVersion = onVersion;
  }

  /** Loads it once; a playlist that cannot be loaded has no versions afterwards. */
  async load(): Promise<void> {
    this.#take(await fetchPlaylist(this.#client, this.url));
  }

  /** Goes on until the signal aborts or the playlist ends. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.versions.length > 0 && this.versions.length < MAX_VERSIONS) {
      const { playlist } = newest(this);
      if (playlist.ended) return;
      if (canBlock(playlist)) await this.#reload(playlist, signal);
      else await this.#poll(playlist, signal);
    }
  }

  async #reload(known: MediaPlaylist, signal: AbortSignal): Promise<void> {
    const position = nextPosition(known);
    const url = withQuery(this.url, positionQuery(position));
    const answer = await fetchPlaylist(this.#client, url, { signal, timeoutMs: holdTimeoutMs(known) });
    if (signal.aborted) return;
    this.reloads.push({ position, exchange: answer.exchange, answer: answer.playlist });
    if (answer.playlist !== undefined && reaches(answer.playlist, position)) {
      this.#take(answer);
      return;
    }
    await this.#clock.wait(PAUSE_AFTER_FAILURE_MS, signal);
    this.#take(await fetchPlaylist(this.#client, this.url, { signal }), signal);
  }

  async #poll({ targetDurationS = 2 }: MediaPlaylist, signal: AbortSignal): Promise<void> {
    await this.#clock.wait(targetDurationS * 500, signal);
    if (!signal.aborted) this.#take(await fetchPlaylist(this.#client, this.url, { signal }), signal);
  }

  #take({ exchange, playlist }: PlaylistAnswer, signal?: AbortSignal): void {
    if (signal?.aborted === true) return;
    if (playlist === undefined) {
      if (this.failures.length < MAX_FAILURES) this.failures.push(exchange);
      return;
    }
    const last = this.versions.at(-1)?.playlist;
    const version = { atMs: exchange.endedAtMs, playlist: shareSegments(playlist, last), exchange };
    if (last !== undefined && JSON.stringify(last) === JSON.stringify(version.playlist)) return;
    this.versions.push(version);
    this.#onVersion(version, this);
  }
}

/** The playlist with the older one's segments where they say the same, so that long lists are kept once. */
function shareSegments(playlist: MediaPlaylist, older: MediaPlaylist | undefined): MediaPlaylist {
  if (older === undefined) return playlist;
  const known = new Map(older.segments.map((segment) => [segment.msn, segment]));
  const segments = playlist.segments.map((segment) => {
    const same = known.get(segment.msn);
    return same !== undefined && JSON.stringify(same) === JSON.stringify(segment) ? same : segment;
  });
  return { ...playlist, segments };
}
