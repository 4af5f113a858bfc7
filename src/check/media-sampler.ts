import { reasonOf } from '../util/errors.ts';
import { type InitTrack, readInit } from './fmp4/init.ts';
import { type MediaFacts, readMediaFacts } from './fmp4/media-facts.ts';
import { type Exchange, type HttpClient, withoutBody } from './http-client.ts';
import type { Resource, Segment } from './m3u8/media-playlist.ts';
import type { FetchedMedia, ObservedPlaylist, PlaylistVersion } from './record.ts';
import { resourceKey } from './record.ts';

/** Segments before the newest that are fetched when a playlist is first seen. */
const FIRST_SEGMENTS = 3;
const MAX_CONCURRENT = 8;
const MAX_WAITING = 2_000;
const MAX_MEDIA_BYTES = 64 * 1024 * 1024;

/** Fetches what playlists name, once, as a player would, and reads it. */
export class MediaSampler {
  readonly media = new Map<string, FetchedMedia>();
  readonly #client: HttpClient;
  readonly #asked = new Set<string>();
  readonly #inits = new Map<string, Promise<readonly InitTrack[]>>();
  readonly #waiting: (() => Promise<void>)[] = [];
  #running = 0;
  #idle: (() => void) | undefined;

  constructor(client: HttpClient) {
    this.#client = client;
  }

  /** Takes the newest parts and segments of a version, and the oldest segment of the first one. */
  see({ playlist }: PlaylistVersion, observed: ObservedPlaylist): void {
    if (observed.role === 'subtitles') return;
    const isFirst = observed.versions.length <= 1;
    const recent = playlist.segments.slice(isFirst ? -FIRST_SEGMENTS : -2);
    const oldest = isFirst ? playlist.segments.slice(0, 1) : [];
    for (const segment of [...new Set([...oldest, ...recent])]) this.#takeSegment(segment, observed);
    for (const part of playlist.open.parts) {
      if (!part.gap) this.#take('part', part, playlist.open.map, observed);
    }
  }

  /** Resolves when all that was seen is fetched. */
  async finished(): Promise<void> {
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  /** Fetches and reads one resource now, without keeping it. */
  async fetch(
    what: FetchedMedia['what'],
    resource: Resource,
    map: Resource | undefined,
    playlist: ObservedPlaylist,
  ): Promise<FetchedMedia> {
    const [exchange, tracks] = await Promise.all([
      this.#request(resource),
      what === 'init' || map === undefined ? [] : this.#tracksOf(map, playlist),
    ]);
    return { what, playlist, exchange: withoutBody(exchange), ...readMedia(what, exchange, tracks) };
  }

  /** The digests of the frames in what was answered to a request for a part; none if they cannot be read. */
  async digests(exchange: Exchange, map: Resource | undefined, playlist: ObservedPlaylist): Promise<readonly string[]> {
    const tracks = map === undefined ? [] : await this.#tracksOf(map, playlist);
    return readMedia('part', exchange, tracks).facts?.digests ?? [];
  }

  #takeSegment(segment: Segment, observed: ObservedPlaylist): void {
    if (segment.gap) return;
    for (const part of segment.parts) if (!part.gap) this.#take('part', part, segment.map, observed);
    this.#take('segment', segment, segment.map, observed);
  }

  #take(what: FetchedMedia['what'], resource: Resource, map: Resource | undefined, observed: ObservedPlaylist): void {
    const key = resourceKey(resource);
    if (this.#asked.has(key) || this.#waiting.length >= MAX_WAITING) return;
    this.#asked.add(key);
    this.#waiting.push(async () => {
      this.media.set(key, await this.fetch(what, resource, map, observed));
    });
    this.#work();
  }

  #work(): void {
    while (this.#running < MAX_CONCURRENT) {
      const task = this.#waiting.shift();
      if (task === undefined) break;
      this.#running += 1;
      void task().finally(() => {
        this.#running -= 1;
        this.#work();
      });
    }
    if (this.#running === 0) this.#idle?.();
  }

  #tracksOf(map: Resource, playlist: ObservedPlaylist): Promise<readonly InitTrack[]> {
    const key = resourceKey(map);
    const known = this.#inits.get(key) ?? this.#fetchInit(map, key, playlist);
    this.#inits.set(key, known);
    return known;
  }

  async #fetchInit(map: Resource, key: string, playlist: ObservedPlaylist): Promise<readonly InitTrack[]> {
    const init = await this.fetch('init', map, undefined, playlist);
    this.media.set(key, init);
    return init.tracks;
  }

  #request({ url, range }: Resource): Promise<Exchange> {
    const headers = range === undefined ? {} : { range: `bytes=${range.offset}-${range.offset + range.length - 1}` };
    return this.#client.request(url, { headers, maxBytes: MAX_MEDIA_BYTES });
  }
}

function readMedia(
  what: FetchedMedia['what'],
  { status, body }: Exchange,
  tracks: readonly InitTrack[],
): { tracks: readonly InitTrack[]; facts: MediaFacts | undefined; problem: string | undefined } {
  const nothing = { tracks: [], facts: undefined, problem: undefined };
  if (status !== 200 && status !== 206) return nothing;
  try {
    if (what === 'init') return { ...nothing, tracks: readInit(body) };
    return { tracks, facts: readMediaFacts(body, tracks), problem: undefined };
  } catch (error) {
    return { ...nothing, problem: reasonOf(error) };
  }
}
