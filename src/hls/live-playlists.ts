import type { TrackKind } from '../media/fragment.ts';
import type { Clock } from '../util/clock.ts';
import { AppError } from '../util/errors.ts';
import { type HlsOptions, targetDurationSeconds } from './hls-options.ts';
import { LivePlaylist, type PlaylistSurroundings } from './live-playlist.ts';
import { type PlaylistCommons, positionOf } from './live-snapshot.ts';
import type { PackagedTrack } from './packaged-track.ts';
import { SourceWatch } from './source-watch.ts';
import type { WaitingRoom } from './waiting-list.ts';

/** A track with the rendition that it belongs to. */
export interface NamedTrack {
  readonly rendition: string;
  readonly track: PackagedTrack;
}

interface LivePlaylistsOptions {
  readonly options: HlsOptions;
  readonly clock: Clock;
  readonly room: WaitingRoom;
  /** The tracks that players may have now. */
  readonly offered: () => readonly NamedTrack[];
  readonly onRendered: () => void;
}

/** How often it is looked whether somebody has waited for too long, or the publisher is away. */
const CHECK_MS = 250;

/** A request is held for so many target durations (draft-pantos-hls-rfc8216bis, section 6.2.5.2). */
const HOLD_DURATIONS = 3;

/** The end is told this much after the last media, or a part target if that is longer. */
const MIN_END_MS = 500;

/** The media playlists of one broadcast: they tell of each other, and wait for the same publisher. */
export class LivePlaylists implements PlaylistSurroundings {
  readonly room: WaitingRoom;
  readonly isLow: boolean;
  readonly #context: LivePlaylistsOptions;
  readonly #playlists = new Map<PackagedTrack, LivePlaylist>();
  readonly #source: SourceWatch;
  readonly #targetMs: number;
  #stopChecks: () => void;
  #edition = 0;
  #offered = '';
  #ended = false;
  /** When the playlists say that they have ended, ms; given from the moment on that they have. */
  #endsAtMs: number | undefined;

  constructor(context: LivePlaylistsOptions) {
    const { options, clock, room } = context;
    this.#context = context;
    this.room = room;
    this.isLow = options.latency === 'low';
    this.#targetMs = 1_000 * targetDurationSeconds(options.segmentTargetMs);
    this.#source = new SourceWatch(1.5 * this.#targetMs, clock.nowMs());
    this.#stopChecks = this.#startChecks();
  }

  get edition(): number {
    return this.#edition;
  }

  /** True if the playlists say that nothing will be added. */
  get ended(): boolean {
    return this.#ended;
  }

  /** True if nothing will be added, whether or not the playlists say so yet. */
  get ending(): boolean {
    return this.#endsAtMs !== undefined;
  }

  /** True while the publisher is silent for so long that nobody should wait. */
  get away(): boolean {
    return this.#source.away && !this.#ended;
  }

  /** Requests that wait. */
  get waiting(): number {
    return [...this.#playlists.values()].reduce((sum, { waiting }) => sum + waiting, 0);
  }

  get refusal(): AppError | undefined {
    if (!this.away) return undefined;
    return new AppError('UNAVAILABLE', 'the publisher is away; reload the playlist without waiting for it to go on');
  }

  /** The playlist of a track. */
  of(track: PackagedTrack): LivePlaylist {
    const known = this.#playlists.get(track);
    if (known !== undefined) return known;
    const created = new LivePlaylist(track, this);
    this.#playlists.set(track, created);
    return created;
  }

  /** A track is no longer offered: all who wait for it are told. */
  drop(track: PackagedTrack): void {
    this.#playlists.get(track)?.drop();
    this.#playlists.delete(track);
  }

  /** Media of the publisher has arrived. */
  onSource(): void {
    this.#source.onMedia(this.#context.clock.nowMs());
  }

  /** Something may have been added, or the list of tracks may have changed: tells all who wait for it. */
  announce(): void {
    const offered = this.#context.offered();
    const published = offered.reduce((sum, { track }) => sum + track.version + track.nextPart, 0);
    const names = offered.map(({ rendition, track }) => `${rendition} ${track.kind}`).join();
    if (this.#source.onPublished(published) || this.#offered !== names) this.#edition += 1;
    this.#offered = names;
    for (const playlist of this.#playlists.values()) playlist.announce();
  }

  /**
   * Nothing more will come, unless `resume()` is called. The playlists say so a moment later: a player that reads of the
   * last part and of the end at once may never ask for that part (seen with hls.js 1.7). Until then they hint at nothing:
   * a player that asks for a part that is never made may take that for a failure (seen with Shaka Player 5.2).
   */
  end(): void {
    if (this.ending) return;
    const partMs = Math.max(0, ...this.#context.offered().map(({ track }) => track.partTargetMs));
    this.#endsAtMs = this.#context.clock.nowMs() + (this.isLow ? Math.max(MIN_END_MS, partMs) : 0);
    this.#edition += 1;
    this.announce();
    this.#endIfDue(this.#context.clock.nowMs());
  }

  /** There is more to come after all. */
  resume(): void {
    if (!this.ending) return;
    this.#endsAtMs = undefined;
    this.#edition += 1;
    if (!this.#ended) return;
    this.#ended = false;
    this.#stopChecks = this.#startChecks();
  }

  /** Ends everything now. */
  close(): void {
    this.end();
    this.#endIfDue(Infinity);
  }

  commons(own: PackagedTrack): PlaylistCommons {
    const offered = this.#context.offered();
    const others = offered.filter(({ track }) => track !== own);
    const reports = others.map(({ rendition, track }) => positionOf(track, uriOf(rendition, track.kind)));
    return {
      options: this.#context.options,
      ended: this.#ended,
      ending: this.ending,
      away: this.away,
      partTargetMs: Math.max(own.partTargetMs, ...others.map(({ track }) => track.partTargetMs)),
      reports: reports.filter((report) => report !== undefined),
    };
  }

  waitsUntilMs(): number {
    return this.#context.clock.nowMs() + HOLD_DURATIONS * this.#targetMs;
  }

  onRendered(): void {
    this.#context.onRendered();
  }

  #startChecks(): () => void {
    return this.#context.clock.every(CHECK_MS, () => this.#check());
  }

  #check(): void {
    const nowMs = this.#context.clock.nowMs();
    for (const playlist of this.#playlists.values()) playlist.expire(nowMs);
    this.#endIfDue(nowMs);
    if (this.ending || !this.#source.check(nowMs)) return;
    this.#edition += 1;
    this.announce();
  }

  #endIfDue(nowMs: number): void {
    if (this.#ended || this.#endsAtMs === undefined || nowMs < this.#endsAtMs) return;
    this.#ended = true;
    this.#edition += 1;
    this.#stopChecks();
    this.announce();
  }
}

/** Relative to any media playlist of the broadcast. */
function uriOf(rendition: string, kind: TrackKind): string {
  return `../${rendition}/${kind}.m3u8`;
}
