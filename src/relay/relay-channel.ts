import type { RenderedPlaylist } from '../hls/rendered-playlist.ts';
import type { PlaylistPosition } from '../hls/playback.ts';
import { Viewers } from '../hls/viewers.ts';
import { WaitingRoom } from '../hls/waiting-list.ts';
import type { PlaylistSnapshot } from '../upstream/follow/playlist-snapshot.ts';
import type { UpstreamLadder } from '../upstream/follow/upstream-ladder.ts';
import type { Clock } from '../util/clock.ts';
import type { Closable } from '../util/closer.ts';
import { AppError } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import { publicFailure } from './public-failure.ts';
import type { RelayMedia } from './relay-media.ts';
import { RelayLadder, reportedEdges } from './relay-ladder.ts';
import type { RenditionPosition } from './relay-playlist.ts';
import { type RelayedPlaylist, type RelayPlaylist, RelayTrack } from './relay-track.ts';
import { SIGNATURE_PARAMETER, type UrlSigner } from './url-signer.ts';

/** The source of a channel: an `Upstream` is one. */
export interface RelaySource {
  ladder(signal: AbortSignal): Promise<UpstreamLadder>;
  follow(renditionId: string): RelayedPlaylist;
}

/** What a channel is made of. */
interface RelayChannelOptions {
  /** Names it in paths: `/relay/NAME/index.m3u8`. */
  readonly name: string;
  readonly upstream: RelaySource;
  readonly signer: UrlSigner;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How often playlists are looked at that nobody asks for any more. */
const REST_MS = 5_000;

/** Requests of one channel that may wait at a time. */
const MAX_WAITING = 10_000;

/**
 * A source that is relayed: playlists with addresses of this server, and the media that they name, each fetched once for all
 * viewers. Nothing that it gives, failures included, tells an address of the source. Whoever opened the upstream releases it,
 * after `close()`.
 */
export class RelayChannel implements Closable {
  readonly name: string;
  readonly #options: RelayChannelOptions;
  readonly #viewers: Viewers;
  readonly #room: WaitingRoom;
  readonly #tracks = new Map<string, RelayTrack>();
  #known: { readonly of: UpstreamLadder; readonly relayed: RelayLadder } | undefined;
  readonly #stopRests: () => void;
  #isClosed = false;

  constructor(options: RelayChannelOptions) {
    const { name, clock, logger } = options;
    this.name = name;
    this.#options = options;
    this.#viewers = new Viewers(clock);
    this.#room = new WaitingRoom(logger, MAX_WAITING);
    this.#stopRests = clock.every(REST_MS, () => {
      for (const track of this.#tracks.values()) track.rest(clock.nowMs());
    });
  }

  /** Clients that asked for a playlist within the last seconds, see `Viewers`. */
  get viewers(): number {
    return this.#viewers.count(this.name);
  }

  /** Requests that wait for a playlist to go on. */
  get waiting(): number {
    return this.#room.count;
  }

  /** Notes that a client asked for a playlist. */
  see(address: string, userAgent: string): void {
    this.#viewers.see(this.name, address, userAgent);
  }

  /**
   * The multivariant playlist.
   * @throws AppError `UNAVAILABLE` if the source does not give it
   */
  async multivariant(signal: AbortSignal): Promise<RenderedPlaylist> {
    return (await this.#ladder(signal)).multivariant;
  }

  /**
   * A media playlist, with a position as soon as it has come so far. If the client goes while it waits, the answer stays
   * pending for ever.
   * @param request `position`: what a blocking reload waits for; `signal`: tells that the client has gone
   * @throws AppError `NOT_FOUND`, `BAD_REQUEST` for a position too far ahead, `UNAVAILABLE` if the source does not give it
   */
  async playlist(
    rendition: string,
    request: { position?: PlaylistPosition | undefined; signal: AbortSignal },
  ): Promise<RelayPlaylist> {
    const { position, signal } = request;
    const track = await this.#track(rendition, signal);
    return track.playlist({ position, signal });
  }

  /**
   * An initialization section, a segment, a part or a key by the name that a playlist gave it.
   * @param request `viewer`: whoever asks, for what is fetched ahead
   * @throws AppError `NOT_FOUND`, `UNAVAILABLE`
   */
  async media(rendition: string, file: string, request: { viewer: string; signal: AbortSignal }): Promise<RelayMedia> {
    const track = await this.#track(rendition, request.signal);
    return track.media(file, request);
  }

  /** Lets go of all playlists; those who wait are told. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#stopRests();
    for (const track of this.#tracks.values()) track.close();
    this.#tracks.clear();
    return Promise.resolve();
  }

  async #ladder(signal: AbortSignal): Promise<RelayLadder> {
    let ladder: UpstreamLadder;
    try {
      ladder = await this.#options.upstream.ladder(signal);
    } catch (error) {
      throw publicFailure(error);
    }
    if (this.#known?.of !== ladder) {
      const relayed = new RelayLadder(ladder, (id) => this.#signed('', `${id}/index.m3u8`));
      this.#known = { of: ladder, relayed };
    }
    return this.#known.relayed;
  }

  async #track(id: string, signal: AbortSignal): Promise<RelayTrack> {
    const { renditions } = await this.#ladder(signal);
    if (this.#isClosed) throw publicFailure(undefined);
    const known = this.#tracks.get(id);
    if (known !== undefined) return known;
    const relayed = renditions.get(id);
    if (relayed === undefined) {
      throw new AppError('NOT_FOUND', `there is no rendition ${JSON.stringify(id.slice(0, 20))}; see index.m3u8`);
    }
    const { clock, upstream } = this.#options;
    const track = new RelayTrack({
      ...{ rendition: relayed.rendition, clock, room: this.#room },
      follow: () => upstream.follow(id),
      uriOf: (file) => this.#signed(`${id}/`, file),
      reports: (snapshot) => this.#reports(id, renditions, snapshot),
    });
    this.#tracks.set(id, track);
    return track;
  }

  /** Where the other playlists with parts are: what is known here of those that somebody plays, else what upstream says. */
  #reports(of: string, renditions: RelayLadder['renditions'], { lowLatency }: PlaylistSnapshot): RenditionPosition[] {
    const reported = reportedEdges(lowLatency?.renditionReports ?? []);
    return [...renditions].flatMap(([id, { uri, path }]) => {
      const track = this.#tracks.get(id);
      // A playlist that was never followed has upstream's numbers when it is.
      const edge = track?.hasBegun === true ? track.last : reported.get(path);
      return edge === undefined || id === of ? [] : [{ uri: `../${uri}`, ...edge }];
    });
  }

  /** A path in a folder of the channel, relative to the folder, with its signature. */
  #signed(folder: string, path: string): string {
    const signature = this.#options.signer.sign(`${this.name}/${folder}${path}`);
    return `${path}?${SIGNATURE_PARAMETER}=${signature}`;
  }
}
