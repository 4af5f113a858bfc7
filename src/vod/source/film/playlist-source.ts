import { createHash } from 'node:crypto';
import { type RemoteUrl, remoteUrl } from '../../../remote/remote-url.ts';
import { SourceFetcher } from '../../../upstream/pool/source-fetcher.ts';
import type { ByteSource } from '../../../util/byte-source.ts';
import { AppError, type ErrorCode, reasonOf } from '../../../util/errors.ts';
import { streamInput } from '../input-options.ts';
import type { FfmpegInput, InputPlace, MediaSource } from '../media-source.ts';
import type { RemoteAccess } from '../remote-source.ts';
import { FilmReader } from './film-reader.ts';
import { type FilmTrack, fingerprintOf, segmentAt } from './film-track.ts';
import { type Film, loadFilm } from './load-film.ts';

/** How much of the first and of the last segment tells a film from others. */
const SAMPLE_BYTES = 64 * 1024;
/** Newer addresses are not looked for more often than that. */
const RENEW_EACH_MS = 5_000;

/** What is the playlist's own fault, so that it has to be named. */
const REFUSALS = new Set<ErrorCode>(['BAD_MEDIA', 'FORBIDDEN']);

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
  readonly #access: RemoteAccess;
  readonly #fetcher: SourceFetcher;
  readonly #target: RemoteUrl;
  readonly #name = `film-${(opened += 1)}`;
  #film: Film;
  #renewals = 0;
  #renewing: Promise<boolean> | undefined;
  #renewedMs = -Infinity;

  private constructor(access: RemoteAccess, fetcher: SourceFetcher, target: RemoteUrl, film: Film, sample: string) {
    this.#access = access;
    this.#fetcher = fetcher;
    this.#target = target;
    this.#film = film;
    this.label = target.label;
    const { origin, pathname } = target.url;
    this.identity = `playlist:${hashOf([origin, pathname, factsOf(film), sample])}`;
  }

  /** True if the sound is in a playlist of its own. */
  get hasSoundApart(): boolean {
    return this.#film.audio !== undefined;
  }

  /**
   * Loads the playlist, and the beginnings of two segments.
   * @throws AppError `FORBIDDEN` for an address that may not be fetched, `BAD_MEDIA` if it is no film that can be played,
   *   `UNAVAILABLE` if something cannot be fetched
   */
  static async open(access: RemoteAccess, target: RemoteUrl, signal?: AbortSignal): Promise<PlaylistSource> {
    const { client, clock } = access;
    const fetcher = new SourceFetcher({ client, clock, addresses: [target] });
    try {
      const film = await loadFilm(fetcher, target, signal);
      return new PlaylistSource(access, fetcher, target, film, await sampleOf(fetcher, film, signal));
    } catch (thrown) {
      if (!(thrown instanceof AppError) || !REFUSALS.has(thrown.code)) throw thrown;
      throw new AppError(thrown.code, `"${target.label}" cannot be played: ${thrown.message}`, { cause: thrown });
    }
  }

  async openInput({ track = 'video', from }: InputPlace = {}): Promise<FfmpegInput> {
    const { relay, pool, keys } = this.#access;
    const isApart = track === 'audio' && this.hasSoundApart;
    const current = (): FilmTrack => (isApart ? this.#film.audio : undefined) ?? this.#film.video;
    const reader = new FilmReader({
      ...{ pool, keys, fetcher: this.#fetcher },
      track: () => ({ track: current(), name: `${this.#name}/${this.#renewals}/${isApart ? 'audio' : 'video'}` }),
      renew: () => this.#renew(),
    });
    const first = segmentAt(current(), from);
    let fault: AppError | undefined;
    const relayed = await relay.registerStream(async function* (signal) {
      try {
        yield* reader.read(first, signal);
      } catch (thrown) {
        if (!signal.aborted)
          fault ??= thrown instanceof AppError ? thrown : new AppError('UNAVAILABLE', reasonOf(thrown));
        throw thrown;
      }
    });
    return {
      ...streamInput(relayed.url, current().container),
      release: () => relayed.release(),
      fault: () => fault,
    };
  }

  openBytes(): Promise<ByteSource> {
    return Promise.reject(new AppError('INTERNAL', 'a playlist cannot be read like a file'));
  }

  /** Loads the playlist again, once for all who ask meanwhile; false if that was done a moment ago, or it is another film. */
  #renew(): Promise<boolean> {
    this.#renewing ??= this.#load().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #load(): Promise<boolean> {
    const nowMs = this.#access.clock.nowMs();
    if (nowMs - this.#renewedMs < RENEW_EACH_MS) return false;
    this.#renewedMs = nowMs;
    const film = await loadFilm(this.#fetcher, this.#target).catch(() => undefined);
    if (film === undefined || hashOf(factsOf(film)) !== hashOf(factsOf(this.#film))) return false;
    this.#film = film;
    this.#renewals += 1;
    return true;
  }
}

function factsOf({ video, audio }: Film): unknown[] {
  return [fingerprintOf(video), audio && fingerprintOf(audio)];
}

function hashOf(facts: unknown): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}

/** Paths and durations alone may be those of many films: what is in them is looked at as well. */
async function sampleOf(fetcher: SourceFetcher, { video }: Film, signal: AbortSignal | undefined): Promise<string> {
  const ends = [...new Set([video.segments[0], video.segments.at(-1)])].filter((segment) => segment !== undefined);
  const samples = ends.map(async ({ uri, byteRange, durationMs }) => {
    const offset = byteRange?.offset ?? 0;
    const length = Math.min(SAMPLE_BYTES, byteRange?.length ?? SAMPLE_BYTES);
    const response = await fetcher.open(remoteUrl(uri), {
      ...{
        headers: { range: `bytes=${offset}-${offset + length - 1}` },
        timeoutMs: Math.max(10_000, durationMs),
        signal,
      },
    });
    try {
      return await beginningOf(response.pieces(), response.status === 206 ? 0 : offset, length);
    } catch (thrown) {
      throw fetcher.failed(remoteUrl(uri), thrown);
    } finally {
      response.close();
    }
  });
  return hashOf((await Promise.all(samples)).map((bytes) => bytes.toString('base64')));
}

async function beginningOf(pieces: AsyncIterable<Buffer>, skip: number, length: number): Promise<Buffer> {
  const kept: Buffer[] = [];
  let [toSkip, left] = [skip, length];
  for await (const piece of pieces) {
    const wanted = piece.subarray(Math.min(toSkip, piece.length)).subarray(0, left);
    toSkip = Math.max(0, toSkip - piece.length);
    kept.push(Buffer.from(wanted));
    left -= wanted.length;
    if (left === 0) break;
  }
  return Buffer.concat(kept);
}
