import { createHash } from 'node:crypto';
import { type RemoteUrl, remoteUrl } from '../../remote/remote-url.ts';
import { UpstreamFailure } from '../../remote/upstream-failure.ts';
import { type MediaPlaylist, parseMediaPlaylist } from '../playlist/media-playlist.ts';
import type { SourceFetcher, Validators } from '../pool/source-fetcher.ts';
import type { LadderSource, LoadedText } from './ladder-source.ts';
import type { ListingLimit } from './listing-limit.ts';
import { blockingUrl } from './reload-interval.ts';
import type { UpstreamRendition } from './upstream-ladder.ts';
import type { UpstreamAddress } from './url-rotation.ts';

const TIMEOUT_MS = 5_000;
/** After so many held requests that failed at an address, none is held there any more. */
const MAX_BLOCKING_FAILURES = 3;

/** What loading a playlist gave; `playlist` is undefined if it is what it was. */
export interface PlaylistLoad {
  readonly playlist: MediaPlaylist | undefined;
  /** Whether the server was asked to answer only once there is something new. */
  readonly wasHeld: boolean;
  /** Whether it will be next time. */
  readonly holdsNext: boolean;
}

type FetchOptions = NonNullable<Parameters<SourceFetcher['text']>[1]>;

/** What is kept from one load to the next at the same address. */
interface Place {
  readonly turn: number;
  readonly target: RemoteUrl;
  readonly imports: ReadonlyMap<string, string> | undefined;
  loaded: LoadedText | undefined;
  validators?: Validators;
  digest?: string;
  playlist?: MediaPlaylist;
  blockingFailures: number;
}

/** Loads the playlist of one rendition again and again, at little cost if nothing has changed. */
export class PlaylistLoader {
  readonly #rendition: UpstreamRendition;
  readonly #ladder: LadderSource;
  readonly #fetcher: SourceFetcher;
  readonly #listing: ListingLimit;
  #place: Place | undefined;

  constructor({
    rendition,
    ladder,
    fetcher,
    listing,
  }: {
    rendition: UpstreamRendition;
    ladder: LadderSource;
    fetcher: SourceFetcher;
    /** Shared with the other renditions. */
    listing: ListingLimit;
  }) {
    this.#rendition = rendition;
    this.#ladder = ladder;
    this.#fetcher = fetcher;
    this.#listing = listing;
  }

  /**
   * Loads the playlist from an address.
   * @throws AppError `BAD_MEDIA` if it is none, `NOT_FOUND` if the address does not offer it, `LIMIT_REACHED` if there is no
   *   room for what it lists, UpstreamFailure if it cannot be fetched
   */
  async load(address: UpstreamAddress, signal: AbortSignal): Promise<PlaylistLoad> {
    const place = await this.#placeAt(address, signal);
    const held = this.#heldUrl(place);
    try {
      const answer = place.loaded ?? (await this.#answer(place, held, signal));
      place.loaded = undefined;
      const playlist = answer && this.#changed(place, answer);
      return { playlist, wasHeld: held !== undefined, holdsNext: this.#heldUrl(place) !== undefined };
    } catch (thrown) {
      if (!(thrown instanceof UpstreamFailure) || !thrown.hasRunOut) throw thrown;
      this.forget();
      this.#ladder.forget(address);
      // What has worked before may have another address now.
      if (place.digest === undefined || signal.aborted) throw thrown;
      return this.load(address, signal);
    }
  }

  /** Asks for the address of the playlist anew before the next load. */
  forget(): void {
    this.#place = undefined;
  }

  async #placeAt(address: UpstreamAddress, signal: AbortSignal): Promise<Place> {
    if (this.#place?.turn === address.turn) return this.#place;
    const found = await this.#ladder.place(this.#rendition, address, signal);
    const place: Place = { turn: address.turn, ...found, blockingFailures: 0 };
    this.#place = place;
    return place;
  }

  /** A server that fails to hold its answer may still give one at once. */
  async #answer(place: Place, held: URL | undefined, signal: AbortSignal): Promise<LoadedText | undefined> {
    if (held === undefined) return this.#fetch(place.target, { signal, validators: place.validators });
    try {
      const timeoutMs = Math.max(TIMEOUT_MS, 3 * (place.playlist?.targetDurationMs ?? 0));
      const answer = await this.#fetch(remoteUrl(held), { signal, timeoutMs });
      place.blockingFailures = 0;
      return answer;
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      place.blockingFailures += 1;
      return this.#fetch(place.target, { signal, validators: place.validators });
    }
  }

  async #fetch(target: RemoteUrl, options: FetchOptions): Promise<LoadedText | undefined> {
    const answer = await this.#fetcher.text(target, { timeoutMs: TIMEOUT_MS, ...options });
    return answer.status === 'unchanged' ? undefined : answer;
  }

  /** A request that is held would keep everything else waiting that has to take the same connection. */
  #heldUrl({ playlist, target, blockingFailures, loaded }: Place): URL | undefined {
    if (this.#fetcher.scope.maxConnections === 1) return undefined;
    if (playlist === undefined || loaded !== undefined || playlist.ended || blockingFailures >= MAX_BLOCKING_FAILURES) {
      return undefined;
    }
    return blockingUrl(target.url, playlist);
  }

  #changed(place: Place, { text, finalUrl, validators }: LoadedText): MediaPlaylist | undefined {
    const digest = createHash('sha1').update(text).digest('base64');
    if (place.digest === digest) return undefined;
    this.#listing.take(this.#rendition.id, text);
    const playlist = parseMediaPlaylist(text, finalUrl, place.imports);
    place.validators = validators;
    place.digest = digest;
    place.playlist = playlist;
    return playlist;
  }
}
