import { AppError } from '../util/errors.ts';
import { captureSnapshot, type PlaylistCommons } from './live-snapshot.ts';
import type { MediaFile } from './media-file.ts';
import { renderMediaPlaylist } from './media-playlist.ts';
import type { PackagedTrack } from './packaged-track.ts';
import type { Answer, MediaRequest, PlaylistRequest } from './playback.ts';
import { compareToEdge, type Reached } from './playlist-position.ts';
import { PlaylistVersion } from './playlist-version.ts';
import type { RenderedPlaylist } from './rendered-playlist.ts';
import { WaitingList, type WaitingRoom } from './waiting-list.ts';

/** What a playlist needs to know of its broadcast. */
export interface PlaylistSurroundings {
  readonly room: WaitingRoom;
  /** True if parts are published and blocking is offered. */
  readonly isLow: boolean;
  /** Changes with everything that `commons` gives for a track, except how far the others are. */
  readonly edition: number;
  /** Why nobody may wait now; `undefined` if everybody may. */
  readonly refusal: AppError | undefined;
  /** True if nothing will be added. */
  readonly ended: boolean;
  commons(track: PackagedTrack): PlaylistCommons;
  /** When a request that begins to wait now must have its answer, ms. */
  waitsUntilMs(): number;
  onRendered(): void;
}

/** The media playlist of one track, and those who wait for it to go on. */
export class LivePlaylist {
  readonly track: PackagedTrack;
  readonly #surroundings: PlaylistSurroundings;
  readonly #readers: WaitingList<PlaylistRequest, RenderedPlaylist>;
  readonly #preloads: WaitingList<MediaRequest, MediaFile>;
  #version: PlaylistVersion | undefined;
  #announced: PlaylistVersion | undefined;
  #state = '';

  constructor(track: PackagedTrack, surroundings: PlaylistSurroundings) {
    this.track = track;
    this.#surroundings = surroundings;
    this.#readers = new WaitingList(surroundings.room);
    this.#preloads = new WaitingList(surroundings.room);
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#readers.size + this.#preloads.size;
  }

  /** The playlist as it is now; the same object until something changes. */
  current(): PlaylistVersion {
    const { track } = this;
    const state = `${track.version} ${track.nextPart} ${this.#surroundings.edition}`;
    if (this.#version === undefined || this.#state !== state) {
      this.#state = state;
      const snapshotOf = captureSnapshot(track, this.#surroundings.commons(track));
      this.#version = new PlaylistVersion((view) => {
        this.#surroundings.onRendered();
        return renderMediaPlaylist(snapshotOf(view));
      });
    }
    return this.#version;
  }

  /** Answers when the playlist has reached the position that the request names. */
  request(request: PlaylistRequest, answer: Answer<RenderedPlaylist>): void {
    const reached = this.#comparison()(request);
    if (reached === 'reached') answer(this.current().view(request.view));
    else if (reached === 'too-far') answer(tooFar(request));
    else this.#wait(this.#readers, request, answer);
  }

  /** True for the file name of the part that comes next. */
  hints(file: string): boolean {
    const { isLow, ended } = this.#surroundings;
    return isLow && !ended && file === this.track.nextPartName;
  }

  /** Answers when the part that the playlist hints at is complete. */
  preload(request: MediaRequest, answer: Answer<MediaFile>): void {
    this.#wait(this.#preloads, request, answer);
  }

  /** Answers all who have waited for what is there now. */
  announce(): void {
    if (this.waiting === 0) return;
    this.#announceParts();
    const version = this.current();
    const { refusal, ended } = this.#surroundings;
    // It is asked after each fragment, and there may be thousands who wait.
    if (version === this.#announced && refusal === undefined && !ended) return;
    this.#announced = version;
    const compare = this.#comparison();
    this.#readers.settle((request) => (compare(request) === 'reached' ? version.view(request.view) : refusal));
  }

  /** Answers those who have waited for too long. */
  expire(nowMs: number): void {
    const error = (): AppError => new AppError('UNAVAILABLE', 'the playlist did not go on in time; ask again');
    this.#readers.expire(nowMs, error);
    this.#preloads.expire(nowMs, error);
  }

  /** The playlist is no longer offered: nobody may wait. */
  drop(): void {
    this.#readers.settle(notFound);
    this.#preloads.settle(notFound);
  }

  /** Compares what requests want with what there is at this moment. */
  #comparison(): (request: PlaylistRequest) => Reached {
    const { isLow, ended } = this.#surroundings;
    // Where blocking is not offered, or nothing will come, directives mean nothing.
    if (ended || !isLow) return () => 'reached';
    const { edge, listed, partTargetMs } = this.track;
    const known = listed.length === 0 ? undefined : edge;
    return ({ position }) => {
      if (position === undefined) return 'reached';
      return known === undefined ? 'ahead' : compareToEdge(position, known, partTargetMs);
    };
  }

  #wait<R extends PlaylistRequest | MediaRequest, T>(list: WaitingList<R, T>, request: R, answer: Answer<T>): void {
    const { refusal } = this.#surroundings;
    if (refusal === undefined) list.add(request, answer, this.#surroundings.waitsUntilMs());
    else answer(refusal);
  }

  /** Before the playlists: they name what these asked for. */
  #announceParts(): void {
    if (this.#preloads.size === 0) return;
    const { refusal } = this.#surroundings;
    // Nearly all of them wait for the same part.
    const files = new Map<string, MediaFile | AppError | undefined>();
    this.#preloads.settle((request) => {
      const { file } = request;
      if (this.hints(file)) return refusal;
      if (!files.has(file)) files.set(file, this.track.file(file) ?? notFound(request));
      return files.get(file);
    });
  }
}

function tooFar({ position }: PlaylistRequest): AppError {
  const { msn = 0, part } = position ?? {};
  const place = part === undefined ? `segment ${msn}` : `part ${part} of segment ${msn}`;
  return new AppError('BAD_REQUEST', `${place} is too far ahead; ask for what follows the newest in the playlist`);
}

function notFound({ broadcast, rendition, track }: PlaylistRequest | MediaRequest): AppError {
  const what = `${track} of rendition ${JSON.stringify(rendition.slice(0, 100))} of broadcast ${JSON.stringify(broadcast)}`;
  return new AppError('NOT_FOUND', `there is no such ${what}; reload the multivariant playlist`);
}
