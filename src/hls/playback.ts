import type { TrackKind } from '../media/fragment.ts';
import type { AppError } from '../util/errors.ts';
import type { MediaFile } from './media-file.ts';
import type { RenderedPlaylist } from './rendered-playlist.ts';

/** Which of its versions a playlist is asked for in. */
export interface PlaylistView {
  /** `dvr`: everything that can be played; `live`: only the newest segments. */
  readonly window: 'dvr' | 'live';
  /** True for a delta update: old segments may be replaced by `EXT-X-SKIP`. */
  readonly skip: boolean;
}

/** What a blocking playlist request waits for (draft-pantos-hls-rfc8216bis, section 6.2.5.2). Both are whole and not negative. */
export interface PlaylistPosition {
  readonly msn: number;
  /** Part of segment `msn`; `undefined` for the whole segment. */
  readonly part: number | undefined;
}

/** A track of a rendition of a broadcast. */
export interface TrackAddress {
  /** `app/name`. */
  readonly broadcast: string;
  readonly rendition: string;
  readonly track: TrackKind;
}

/** Tells that a client has gone. An `AbortSignal` does; thousands of them cost more than they need to. */
export interface ClientSignal {
  readonly aborted: boolean;
  /** Whoever is given the signal may add one listener at a time. */
  addEventListener(type: 'abort', listener: ClientListener): void;
  removeEventListener(type: 'abort', listener: ClientListener): void;
}

/** Called when the client has gone. */
export interface ClientListener {
  handleEvent(): void;
}

/** A request for a media playlist. */
export interface PlaylistRequest extends TrackAddress {
  readonly view: PlaylistView;
  /** Given for a blocking reload. */
  readonly position: PlaylistPosition | undefined;
  /** Aborts when the client has gone: the answer is never called then, and nothing is kept. */
  readonly signal: ClientSignal;
}

/** A request for an init, a segment or a part by the name that a playlist gave it. */
export interface MediaRequest extends TrackAddress {
  readonly file: string;
  /** As with playlists. */
  readonly signal: ClientSignal;
}

/**
 * Takes the one answer to a request: at once if it can be given, else later, in slices that leave ingest its time. Errors
 * are `BAD_REQUEST` for a position too far ahead, `UNAVAILABLE` if it did not come in time or the publisher is away, and
 * `NOT_FOUND`.
 */
export type Answer<T> = (result: T | AppError) => void;

/** Playback of what is packaged, as HTTP needs it. */
export interface BlockingOrigin {
  requestPlaylist(request: PlaylistRequest, answer: Answer<RenderedPlaylist>): void;
  /** Waits only for the part that a playlist hints at. */
  requestMedia(request: MediaRequest, answer: Answer<MediaFile>): void;
}
