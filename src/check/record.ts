import type { MediaFacts } from './fmp4/media-facts.ts';
import type { InitTrack } from './fmp4/init.ts';
import type { Exchange } from './http-client.ts';
import type { MediaPlaylist, Resource } from './m3u8/media-playlist.ts';
import type { Listing, Multivariant } from './m3u8/multivariant.ts';
import type { Position } from './m3u8/timeline.ts';

/** A media playlist as it was at one time. */
export interface PlaylistVersion {
  /** When it had come. */
  readonly atMs: number;
  readonly playlist: MediaPlaylist;
  /** Without its body. */
  readonly exchange: Exchange;
}

/** A request for a media playlist that said what to wait for. */
export interface BlockingReload {
  readonly position: Position;
  readonly exchange: Exchange;
  /** `undefined` for an answer that is no playlist. */
  readonly answer: MediaPlaylist | undefined;
}

/** All that was seen of one media playlist. */
export interface ObservedPlaylist {
  /** Short, for people: the end of its path. */
  readonly name: string;
  readonly url: string;
  /** `video` for what variants play, `audio` and `subtitles` for `EXT-X-MEDIA`. */
  readonly role: 'video' | 'audio' | 'subtitles';
  /** The tags that list it. */
  readonly listings: readonly Listing[];
  /** In the order in which they came; a repetition is not kept. None if it could not be loaded. */
  readonly versions: readonly PlaylistVersion[];
  /** Of the observation; without bodies. */
  readonly reloads: readonly BlockingReload[];
  /** Answers that were no playlist, where one was due. */
  readonly failures: readonly Exchange[];
}

/** An init, a segment or a part that was fetched when a playlist named it. */
export interface FetchedMedia {
  readonly what: 'init' | 'segment' | 'part';
  readonly playlist: ObservedPlaylist;
  /** Without its body. */
  readonly exchange: Exchange;
  /** Of an init. */
  readonly tracks: readonly InitTrack[];
  /** Of a segment or a part. */
  readonly facts: MediaFacts | undefined;
  /** Why the bytes could not be read. */
  readonly problem: string | undefined;
}

/** Requests that the check makes besides playing, by what they try. */
export type ProbeKind =
  | 'bad-directive'
  | 'far-ahead'
  | 'legal-ahead'
  | 'old-position'
  | 'part-overflow'
  | 'whole-segment'
  | 'ended-directive'
  | 'skip-not-offered'
  | 'unknown-query'
  | 'unknown-media'
  | 'abandoned-hint'
  | 'removed-part'
  | 'removed-segment'
  | 'identity-playlist'
  | 'gzip-media'
  | 'conditional'
  | 'range'
  | 'preflight';

/** One such request. */
export interface Probe {
  readonly kind: ProbeKind;
  readonly playlist: ObservedPlaylist | undefined;
  /** Without its body. */
  readonly exchange: Exchange;
  /** For a request about a position. */
  readonly position?: Position;
  /** The newest playlist when it was sent. */
  readonly before?: MediaPlaylist | undefined;
  /** The playlist that was answered. */
  readonly answer?: MediaPlaylist | undefined;
}

/** A full playlist, and a delta update for the same position. */
export interface DeltaPair {
  readonly playlist: ObservedPlaylist;
  readonly directive: 'YES' | 'v2';
  /** What the delta is applied to. */
  readonly older: MediaPlaylist;
  readonly full: MediaPlaylist;
  readonly delta: MediaPlaylist;
  readonly exchange: Exchange;
}

/** A hinted part that was asked for at once. */
export interface HintRequest {
  readonly playlist: ObservedPlaylist;
  readonly url: string;
  readonly line: string;
  /** Without its body. */
  readonly exchange: Exchange;
  /** Of each frame that was answered, as in `MediaFacts`. */
  readonly digests: readonly string[];
}

/** An `EXT-X-I-FRAME-STREAM-INF` and what its first entries hold. */
export interface IFrameObservation {
  readonly listing: Listing;
  readonly exchange: Exchange;
  readonly playlist: MediaPlaylist | undefined;
  readonly entries: readonly { readonly url: string; readonly line: string; readonly media: FetchedMedia }[];
}

/** What TLS and HTTP/2 were like. */
export interface SecureTransport {
  /** `undefined` if there was no connection; `failure` says why. */
  readonly tlsVersion: string | undefined;
  readonly alpn: string | undefined;
  /** Status of the playlist over HTTP/2. */
  readonly http2Status: number | undefined;
  readonly failure: string | undefined;
}

/** All that a check saw; the rules judge it. */
export interface CheckRecord {
  readonly url: string;
  readonly observedS: number;
  /** How late the check itself was at worst, in ms: what is judged by time gets this much more. */
  readonly lagMs: number;
  /** As it was first and last; `undefined` if the check began with a media playlist. */
  readonly multivariant:
    { readonly first: Multivariant; readonly last: Multivariant; readonly exchange: Exchange } | undefined;
  readonly playlists: readonly ObservedPlaylist[];
  readonly iFrames: readonly IFrameObservation[];
  /** By `resourceKey`. */
  readonly media: ReadonlyMap<string, FetchedMedia>;
  readonly probes: readonly Probe[];
  readonly deltas: readonly DeltaPair[];
  readonly hints: readonly HintRequest[];
  /** Of small requests, in ms. */
  readonly roundTripsMs: readonly number[];
  /** `undefined` for plain HTTP. */
  readonly secure: SecureTransport | undefined;
}

/** Tells resources apart. */
export function resourceKey({ url, range }: Resource): string {
  return range === undefined ? url : `${url}#${range.offset}+${range.length}`;
}

/**
 * The newest version of a playlist that could be loaded.
 * @throws RangeError if there is none
 */
export function newest({ name, versions }: ObservedPlaylist): PlaylistVersion {
  const version = versions.at(-1);
  if (version === undefined) throw new RangeError(`${name} was never loaded`);
  return version;
}

/** True if a playlist offers low latency at all. */
export function hasParts(record: CheckRecord): boolean {
  return record.playlists.some(({ versions }) =>
    versions.some(({ playlist }) => playlist.partTargetS !== undefined || playlist.open.parts.length > 0),
  );
}

/** True if the playlist takes blocking reloads. */
export function canBlock(playlist: MediaPlaylist): boolean {
  return playlist.serverControl?.get('CAN-BLOCK-RELOAD') === 'YES';
}
