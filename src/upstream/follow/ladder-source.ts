import { parseRemoteUrl, type RemoteUrl, remoteUrl } from '../../remote/remote-url.ts';
import { AppError } from '../../util/errors.ts';
import { parseMediaPlaylist } from '../playlist/media-playlist.ts';
import { type MultivariantPlaylist, parseMultivariant } from '../playlist/multivariant-playlist.ts';
import { playlistKind } from '../playlist/playlist-text.ts';
import type { FetchedText, SourceFetcher } from '../pool/source-fetcher.ts';
import type { Clock } from '../../util/clock.ts';
import { abortable } from './abortable.ts';
import { ladderOf, type UpstreamLadder, type UpstreamRendition, uriOf } from './upstream-ladder.ts';
import type { UpstreamAddress } from './url-rotation.ts';

/** After that long what was loaded on the way is loaded again, ms. */
const FRESH_MS = 1_000;

/** A text with what belongs to it. */
export type LoadedText = Extract<FetchedText, { status: 'ok' }>;

/** Where the playlist of a rendition is at one address. */
export interface RenditionPlace {
  readonly target: RemoteUrl;
  /** Variables of the multivariant playlist. */
  readonly imports: ReadonlyMap<string, string> | undefined;
  /** The playlist itself if it has been loaded on the way; for whoever asks first. */
  readonly loaded: LoadedText | undefined;
}

/** What was found at an address. */
interface Found {
  readonly multivariant: MultivariantPlaylist | undefined;
  readonly target: RemoteUrl;
  readonly atMs: number;
  loaded: LoadedText | undefined;
}

/**
 * Knows what an upstream offers, and where its playlists are at each of its addresses. One request for all who ask at a
 * time; kept until another address is used or `forget()`.
 */
export class LadderSource {
  readonly #fetcher: SourceFetcher;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  #ladder: UpstreamLadder | undefined;
  #turn = -1;
  #found: Promise<Found> | undefined;

  /** @param signal ends what goes on */
  constructor({ fetcher, clock, signal }: { fetcher: SourceFetcher; clock: Clock; signal: AbortSignal }) {
    this.#fetcher = fetcher;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** What has been found first; it stays. */
  get known(): UpstreamLadder | undefined {
    return this.#ladder;
  }

  /**
   * What the upstream offers.
   * @throws AppError `BAD_MEDIA` if it is no playlist, UpstreamFailure if it cannot be fetched
   */
  async ladder(address: UpstreamAddress, signal?: AbortSignal): Promise<UpstreamLadder> {
    if (this.#ladder !== undefined) return this.#ladder;
    const { multivariant } = await abortable(this.#at(address), signal);
    this.#ladder ??= ladderOf(multivariant);
    return this.#ladder;
  }

  /**
   * Where a rendition is.
   * @throws AppError `NOT_FOUND` if the address does not offer it; else as `ladder()`
   */
  async place(rendition: UpstreamRendition, address: UpstreamAddress, signal?: AbortSignal): Promise<RenditionPlace> {
    const found = await abortable(this.#at(address), signal);
    const { multivariant, loaded } = found;
    if (multivariant !== undefined) {
      const uri = uriOf(rendition, multivariant);
      if (uri === undefined) throw notOffered(rendition);
      return { target: remoteUrl(uri), imports: multivariant.variables, loaded: undefined };
    }
    if (rendition.kind !== 'variant') throw notOffered(rendition);
    found.loaded = undefined;
    const isFresh = this.#clock.nowMs() - found.atMs <= FRESH_MS;
    return { target: found.target, imports: undefined, loaded: isFresh ? loaded : undefined };
  }

  /** Loads anew when it is asked next: what has been found names what is not there any more. */
  forget(address: UpstreamAddress): void {
    if (address.turn === this.#turn) this.#found = undefined;
  }

  #at(address: UpstreamAddress): Promise<Found> {
    if (address.turn !== this.#turn || this.#found === undefined) {
      const found = this.#load(address);
      this.#turn = address.turn;
      this.#found = found;
      found.catch(() => {
        if (this.#found === found) this.#found = undefined;
      });
    }
    return this.#found;
  }

  async #load({ url }: UpstreamAddress): Promise<Found> {
    const target = parseRemoteUrl(url);
    const answer = await this.#fetcher.text(target, { signal: this.#signal });
    if (answer.status === 'unchanged')
      throw new AppError('INTERNAL', 'a playlist did not change that was never loaded');
    const { text, finalUrl } = answer;
    const atMs = this.#clock.nowMs();
    if (playlistKind(text) === 'multivariant') {
      return { multivariant: parseMultivariant(text, finalUrl), target, atMs, loaded: undefined };
    }
    // Refuses what is none before anybody takes it for a ladder.
    parseMediaPlaylist(text, finalUrl);
    return { multivariant: undefined, target, atMs, loaded: answer };
  }
}

function notOffered({ id }: UpstreamRendition): AppError {
  return new AppError('NOT_FOUND', `the address at present offers nothing like rendition "${id}"`);
}
