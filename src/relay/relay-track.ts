import type { PlaylistPosition, ClientSignal } from '../hls/playback.ts';
import { PlaylistMemo, type RenderedPlaylist } from '../hls/rendered-playlist.ts';
import { WaitingList, type WaitingRoom } from '../hls/waiting-list.ts';
import type { PlaylistSnapshot } from '../upstream/follow/playlist-snapshot.ts';
import type { UpstreamRendition } from '../upstream/follow/upstream-ladder.ts';
import type { MediaItem } from '../upstream/pool/media-item.ts';
import type { Clock } from '../util/clock.ts';
import { AppError } from '../util/errors.ts';
import { PlaylistReach } from './playlist-reach.ts';
import { expired, publicFailure } from './public-failure.ts';
import { PublishedFiles } from './published-files.ts';
import { type FetchedMedia, RelayMedia } from './relay-media.ts';
import { type RenditionPosition, renderRelayPlaylist, targetSecondsOf } from './relay-playlist.ts';

/** A media playlist as players get it. */
export interface RelayPlaylist {
  readonly playlist: RenderedPlaylist;
  /** Nothing will be added. */
  readonly ended: boolean;
  readonly targetDurationMs: number;
  /** How much media it lists, ms. */
  readonly listedMs: number;
}

/** A playlist of a source while it is followed: a `FollowedPlaylist` is one. */
export interface RelayedPlaylist {
  /** When it was loaded last, changed or not, ms since the Unix epoch. */
  readonly confirmedAtMs: number | undefined;
  current(): PlaylistSnapshot | undefined;
  /** Resolves with one that is newer than a version. */
  next(afterVersion: number, signal: AbortSignal): Promise<PlaylistSnapshot>;
  ask(item: MediaItem, options: { readonly viewer: string; readonly signal: AbortSignal }): FetchedMedia;
  release(): void;
}

interface RelayTrackOptions {
  readonly rendition: UpstreamRendition;
  /** Starts to follow the playlist; whoever calls it releases what it gets. */
  readonly follow: () => RelayedPlaylist;
  /** Gives the signed URI, relative to the playlist, of a file. */
  readonly uriOf: (file: string) => string;
  /** Where the other playlists of the source are, when this one is there. */
  readonly reports: (snapshot: PlaylistSnapshot) => readonly RenditionPosition[];
  readonly clock: Clock;
  readonly room: WaitingRoom;
}

interface PlaylistRequest {
  readonly position: PlaylistPosition | undefined;
  readonly signal: ClientSignal;
}

/** The first playlist of a source must have come by then. */
const FIRST_MS = 15_000;

/** Requests are held for so many target durations (draft-pantos-hls-rfc8216bis, section 6.2.5.2). */
const HOLD_DURATIONS = 3;

/**
 * The last good playlist is given for so long although the source is silent, or for thrice its target duration: players give
 * up for good after a few refusals, and another address may be on its way.
 */
const STALE_MS = 30_000;

/** A playlist that nobody followed in the meantime is good enough for so many target durations. */
const FRESH_DURATIONS = 2;

/** How often it is looked whether somebody has waited for too long. */
const CHECK_MS = 250;

/** A playlist that nobody has asked for, in any way, for this long or thrice its target duration is not followed further. */
const IDLE_MS = 30_000;

/** One playlist of a source, and those who wait for it to go on. */
export class RelayTrack {
  readonly #options: RelayTrackOptions;
  readonly #waiting: WaitingList<PlaylistRequest, RelayPlaylist>;
  #memo = new PlaylistMemo();
  #files: PublishedFiles;
  #followed: RelayedPlaylist | undefined;
  #watch: AbortController | undefined;
  #snapshot: PlaylistSnapshot | undefined;
  /** Of the snapshot. */
  #reach: PlaylistReach | undefined;
  #heldAtMs = 0;
  /** Whether the playlist was up to date once since it is held; before, there may be one from long ago. */
  #isWarm = false;
  #hasBegun = false;
  #lastAskedMs: number;

  constructor(options: RelayTrackOptions) {
    const { clock, room } = options;
    this.#options = options;
    this.#waiting = new WaitingList(room);
    this.#files = this.#noFiles();
    this.#lastAskedMs = clock.nowMs();
  }

  /** Whether there has been a playlist: from then on it may have other numbers than upstream. */
  get hasBegun(): boolean {
    return this.#hasBegun || this.#newest() !== undefined;
  }

  /** Where its end is, as other playlists tell of it; `undefined` unless it has parts. */
  get last(): PlaylistReach['last'] {
    this.#newest();
    return this.#reach?.last;
  }

  /**
   * The playlist: the newest there is, or with a position as soon as it has come so far. The client's going away leaves the
   * answer pending for ever.
   * @throws AppError `BAD_REQUEST` for a position too far ahead, `UNAVAILABLE` if the source does not give it
   */
  playlist(request: PlaylistRequest): Promise<RelayPlaylist> {
    this.#touch();
    this.#hold();
    const snapshot = this.#newest();
    const answer = this.#answerTo(request, snapshot);
    if (answer instanceof AppError) return Promise.reject(answer);
    if (answer !== undefined) return Promise.resolve(answer);
    return new Promise((resolve, reject) => {
      const holdMs = this.#isWarm && snapshot !== undefined ? HOLD_DURATIONS * snapshot.targetDurationMs : FIRST_MS;
      const untilMs = this.#options.clock.nowMs() + holdMs;
      const settle = (result: RelayPlaylist | AppError): void =>
        result instanceof AppError ? reject(result) : resolve(result);
      this.#waiting.add(request, settle, untilMs);
      this.#startWatch();
    });
  }

  /**
   * Something that the playlist names; the part that it hints at as soon as upstream gives it.
   * @throws AppError `NOT_FOUND` for what it does not name
   */
  async media(name: string, { viewer, signal }: { viewer: string; signal: AbortSignal }): Promise<RelayMedia> {
    this.#touch();
    const followed = this.#hold();
    if (this.#newest() === undefined) await this.playlist({ position: undefined, signal });
    const file = this.#files.find(name);
    if (file === undefined) throw expired();
    return new RelayMedia(file, followed.ask(file.item, { viewer, signal }), this.#reach?.listedMs ?? 0);
  }

  /** Stops following if nobody has asked for anything in a while. */
  rest(nowMs: number): void {
    const idleMs = Math.max(IDLE_MS, HOLD_DURATIONS * (this.#snapshot?.targetDurationMs ?? 0));
    if (this.#waiting.size === 0 && nowMs - this.#lastAskedMs > idleMs) this.#letGo();
  }

  /** Lets go of the playlist; those who wait are told. */
  close(): void {
    this.#letGo();
    this.#waiting.settle(() => new AppError('UNAVAILABLE', 'the source is being stopped; try again in a few seconds'));
  }

  #touch(): void {
    this.#lastAskedMs = this.#options.clock.nowMs();
  }

  #hold(): RelayedPlaylist {
    if (this.#followed === undefined) {
      this.#followed = this.#options.follow();
      this.#heldAtMs = this.#options.clock.nowMs();
      this.#isWarm = false;
    }
    return this.#followed;
  }

  #letGo(): void {
    this.#watch?.abort();
    this.#watch = undefined;
    this.#followed?.release();
    this.#followed = undefined;
    this.#snapshot = undefined;
    this.#reach = undefined;
    this.#memo = new PlaylistMemo();
    this.#files = this.#noFiles();
  }

  #noFiles(): PublishedFiles {
    const { rendition, uriOf } = this.#options;
    return new PublishedFiles(rendition.kind, uriOf);
  }

  /** The newest snapshot, all that it names being known. */
  #newest(): PlaylistSnapshot | undefined {
    const newest = this.#followed?.current();
    if (newest !== undefined && newest !== this.#snapshot) {
      this.#snapshot = newest;
      this.#hasBegun = true;
      this.#reach = new PlaylistReach(newest);
      this.#files.take(newest, this.#options.clock.nowMs());
    }
    return this.#snapshot;
  }

  /** `undefined` if it has to wait. */
  #answerTo(
    { position }: PlaylistRequest,
    snapshot: PlaylistSnapshot | undefined,
  ): RelayPlaylist | AppError | undefined {
    if (snapshot === undefined) return undefined;
    const age = this.#ageOf(snapshot);
    if (age === 'old') return undefined;
    if (age === 'stale') return publicFailure(undefined);
    const reached = this.#reach?.compare(position);
    if (position !== undefined && reached === 'too-far') return tooFar(position);
    if (reached === 'ahead') return undefined;
    return this.#render(snapshot);
  }

  /** `old`: from before it is held, and a newer one is on its way; `stale`: the source has been silent for too long. */
  #ageOf({ ended, targetDurationMs }: PlaylistSnapshot): 'good' | 'old' | 'stale' {
    const nowMs = this.#options.clock.nowMs();
    const silentMs = ended ? 0 : nowMs - (this.#followed?.confirmedAtMs ?? 0);
    this.#isWarm ||= silentMs <= FRESH_DURATIONS * targetDurationMs;
    if (!this.#isWarm && nowMs - this.#heldAtMs < FIRST_MS) return 'old';
    return silentMs > Math.max(STALE_MS, HOLD_DURATIONS * targetDurationMs) ? 'stale' : 'good';
  }

  #render(snapshot: PlaylistSnapshot): RelayPlaylist {
    const reports = snapshot.lowLatency === undefined ? [] : this.#options.reports(snapshot);
    const ends = reports.map(({ uri, lastMsn, lastPart }) => `${uri} ${lastMsn} ${lastPart}`);
    const playlist = this.#memo.get([snapshot.version, ...ends].join(), () =>
      renderRelayPlaylist(snapshot, this.#files, reports),
    );
    const targetDurationMs = 1_000 * targetSecondsOf(snapshot);
    return { playlist, ended: snapshot.ended, targetDurationMs, listedMs: this.#reach?.listedMs ?? 0 };
  }

  #startWatch(): void {
    if (this.#watch !== undefined) return;
    const watch = new AbortController();
    this.#watch = watch;
    void this.#answerAll(this.#hold(), watch.signal).finally(() => {
      if (this.#watch === watch) this.#watch = undefined;
    });
  }

  /** Answers those who wait, as the playlist goes on, until nobody does. */
  async #answerAll(followed: RelayedPlaylist, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const stopChecks = clock.every(CHECK_MS, () => {
      // It may have been confirmed as it is.
      if (!this.#isWarm) this.#waiting.settle((request) => this.#answerTo(request, this.#newest()));
      this.#waiting.expire(clock.nowMs(), () => publicFailure(undefined));
    });
    try {
      while (this.#waiting.size > 0) {
        const snapshot = await followed.next(this.#snapshot?.version ?? -1, signal);
        if (signal.aborted) return;
        const newest = this.#newest() ?? snapshot;
        this.#waiting.settle((request) => this.#answerTo(request, newest));
      }
    } catch (error) {
      if (!signal.aborted) this.#waiting.settle(() => publicFailure(error));
    } finally {
      stopChecks();
    }
  }
}

function tooFar({ msn, part }: PlaylistPosition): AppError {
  const place = part === undefined ? `segment ${msn}` : `part ${part} of segment ${msn}`;
  return new AppError('BAD_REQUEST', `${place} is too far ahead; ask for what follows the newest in the playlist`);
}
