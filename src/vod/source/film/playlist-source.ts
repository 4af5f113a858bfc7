import { createHash } from 'node:crypto';
import type { RemoteUrl } from '../../../remote/remote-url.ts';
import { SourceFetcher } from '../../../upstream/pool/source-fetcher.ts';
import type { ByteSource } from '../../../util/byte-source.ts';
import { AppError, type ErrorCode, reasonOf } from '../../../util/errors.ts';
import { streamInput } from '../input-options.ts';
import type { FfmpegInput, InputPlace, MediaSource } from '../media-source.ts';
import type { RemoteAccess } from '../remote-source.ts';
import { FilmReader, type KnownTrack } from './film-reader.ts';
import { sampleOf } from './film-sample.ts';
import type { FilmShelf } from './film-shelf.ts';
import { fingerprintOf, segmentAt } from './film-track.ts';
import { type Film, loadFilm } from './load-film.ts';

/** Newer addresses are not looked for more often than that. */
const RENEW_EACH_MS = 5_000;

/** What is the playlist's own fault, so that it has to be named. */
const REFUSALS = new Set<ErrorCode>(['BAD_MEDIA', 'FORBIDDEN']);

/** What a playlist is read with; all stay the owner's. */
export interface PlaylistSourceOptions {
  readonly access: RemoteAccess;
  readonly shelf: FilmShelf;
  readonly target: RemoteUrl;
}

let opened = 0;

/**
 * An HLS playlist with an end. ffmpeg gets its segments as one stream, from any of them on. Its identity is a hash over the
 * address without query, the segments' paths and durations, and the beginnings of the first and the last one: addresses whose
 * query is a token that changes lead to the same film.
 */
export class PlaylistSource implements MediaSource {
  readonly kind = 'playlist';
  readonly label: string;
  readonly identity: string;
  readonly sizeBytes = 0;
  /** True if the sound is in a playlist of its own. */
  readonly hasSoundApart: boolean;
  readonly #options: PlaylistSourceOptions;
  readonly #fetcher: SourceFetcher;
  readonly #facts: string;
  readonly #name = `film-${(opened += 1)}`;
  #renewals = 0;
  #renewing: Promise<Film | undefined> | undefined;
  #renewedMs = -Infinity;

  private constructor(options: PlaylistSourceOptions, fetcher: SourceFetcher, film: Film, sample: string) {
    const { target, shelf } = options;
    const { origin, pathname } = target.url;
    this.#options = options;
    this.#fetcher = fetcher;
    this.#facts = factsOf(film);
    this.label = target.label;
    this.hasSoundApart = film.audio !== undefined;
    this.identity = `playlist:${hashOf([origin, pathname, this.#facts, sample])}`;
    shelf.put(this.#name, film);
  }

  /**
   * Loads the playlist, and the beginnings of two segments.
   * @throws AppError `FORBIDDEN` for an address that may not be fetched, `BAD_MEDIA` if it is no film that can be played,
   *   `UNAVAILABLE` if something cannot be fetched
   */
  static async open(options: PlaylistSourceOptions, signal?: AbortSignal): Promise<PlaylistSource> {
    const { access, target } = options;
    const fetcher = new SourceFetcher({ client: access.client, clock: access.clock, addresses: [target] });
    try {
      const film = await loadFilm(fetcher, target, signal);
      return new PlaylistSource(options, fetcher, film, await sampleOf(fetcher, film.video, signal));
    } catch (thrown) {
      if (!(thrown instanceof AppError) || !REFUSALS.has(thrown.code)) throw thrown;
      throw new AppError(thrown.code, `"${target.label}" cannot be played: ${thrown.message}`, { cause: thrown });
    }
  }

  async openInput({ track = 'video', from }: InputPlace = {}): Promise<FfmpegInput> {
    const { relay, pool, keys } = this.#options.access;
    const known = this.#known(await this.#film(), track);
    const renew = async (old: KnownTrack): Promise<KnownTrack | undefined> => {
      const newest = this.#known(await this.#film(), track);
      if (newest.name !== old.name) return newest;
      const film = await this.#renew();
      return film && this.#known(film, track);
    };
    const reader = new FilmReader({ pool, keys, fetcher: this.#fetcher, known, renew });
    const first = segmentAt(known.track, from);
    let fault: AppError | undefined;
    const relayed = await relay.registerStream(async function* (signal) {
      try {
        yield* reader.read(first, signal);
      } catch (thrown) {
        const error = thrown instanceof AppError ? thrown : new AppError('UNAVAILABLE', reasonOf(thrown));
        if (!signal.aborted) fault ??= error;
        throw error;
      }
    });
    const format = known.track.init === undefined ? 'mpegts' : 'mp4';
    return { ...streamInput(relayed.url, format), release: () => relayed.release(), fault: () => fault };
  }

  openBytes(): Promise<ByteSource> {
    return Promise.reject(new AppError('INTERNAL', 'a playlist cannot be read like a file'));
  }

  #known({ video, audio }: Film, track: 'video' | 'audio'): KnownTrack {
    const apart = track === 'audio' ? audio : undefined;
    const name = `${this.#name}/${this.#renewals}/${apart === undefined ? 'video' : 'audio'}`;
    return { track: apart ?? video, name };
  }

  async #film(): Promise<Film> {
    const film = this.#options.shelf.get(this.#name) ?? (await this.#load());
    if (film !== undefined) return film;
    throw new AppError('UNAVAILABLE', `"${this.label}" cannot be loaded again, or has changed meanwhile; play it anew`);
  }

  /** Loads the playlist again for newer addresses, once for all who ask meanwhile, and not more often than some seconds. */
  #renew(): Promise<Film | undefined> {
    const nowMs = this.#options.access.clock.nowMs();
    if (this.#renewing === undefined && nowMs - this.#renewedMs >= RENEW_EACH_MS) {
      this.#renewedMs = nowMs;
      this.#renewing = this.#load()
        .then((film) => {
          if (film !== undefined) this.#renewals += 1;
          return film;
        })
        .finally(() => (this.#renewing = undefined));
    }
    return this.#renewing ?? Promise.resolve(undefined);
  }

  /** `undefined` if it cannot be loaded, or is another film by now. */
  async #load(): Promise<Film | undefined> {
    const { target, shelf } = this.#options;
    const film = await loadFilm(this.#fetcher, target).catch(() => undefined);
    if (film === undefined || factsOf(film) !== this.#facts) return undefined;
    shelf.put(this.#name, film);
    return film;
  }
}

function factsOf({ video, audio }: Film): string {
  return hashOf([fingerprintOf(video), audio && fingerprintOf(audio)]);
}

function hashOf(facts: unknown): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}
