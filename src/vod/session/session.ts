import type { Clock } from '../../util/clock.ts';
import { type AppError, reasonOf } from '../../util/errors.ts';
import { Holds } from './hold.ts';
import type { Occupant } from './session-limits.ts';
import type { SessionRecord } from './session-record.ts';
import type { PlaybackInfo, SessionProgress, SessionView } from './session-view.ts';
import type { TitlePlayback } from './title-playback.ts';
import { viewTracks } from './view-tracks.ts';

/** Encoding of all that is missing. */
interface Fill {
  state: 'running' | 'complete' | 'failed';
  reason?: string;
}

/** One viewer's play of a source: active while somebody asks for something, idle but remembered otherwise. */
export class VodSession implements Occupant {
  readonly id: string;
  readonly user: string | undefined;
  readonly sourceKey: string;
  readonly label: string;
  readonly startedAtMs: number;
  /** Requests that wait for something of it. */
  readonly holds: Holds;
  /** Reading the source again, if that is under way. */
  loading: Promise<TitlePlayback> | undefined;
  readonly #clock: Clock;
  readonly #record: SessionRecord;
  readonly #ended = new AbortController();
  #playback: TitlePlayback | undefined;
  #durationMs: number;
  #positionMs: number;
  /** When a player last told its position by itself. */
  #toldAtMs = -Infinity;
  #seenAtMs: number;
  #fill: Fill | undefined;
  #lastProgress: SessionProgress['renditions'] = [];

  constructor(record: SessionRecord, clock: Clock) {
    this.#record = record;
    this.#clock = clock;
    this.holds = new Holds({ clock });
    ({ id: this.id, user: this.user, sourceKey: this.sourceKey } = record);
    ({ label: this.label, startedAtMs: this.startedAtMs } = record);
    ({ durationMs: this.#durationMs, positionMs: this.#positionMs, seenAtMs: this.#seenAtMs } = record);
  }

  get isActive(): boolean {
    return this.#playback !== undefined;
  }

  /** The title as it is played; `undefined` while idle. */
  get playback(): TitlePlayback | undefined {
    return this.#playback;
  }

  get seenAtMs(): number {
    return this.#seenAtMs;
  }

  get positionMs(): number {
    return this.#positionMs;
  }

  /** Aborts when the session ends for good. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Everything that a restart must not lose. */
  record(): SessionRecord {
    return {
      ...this.#record,
      durationMs: this.#durationMs,
      positionMs: this.#positionMs,
      seenAtMs: this.#seenAtMs,
    };
  }

  /** Plays from now on; goes on with what it has if a player cannot tell the two apart. Returns what it plays. */
  open(playback: TitlePlayback): TitlePlayback {
    if (this.#playback?.version === playback.version) return this.#playback;
    this.#playback?.release();
    this.#playback = playback;
    this.#durationMs = playback.durationMs;
    this.#positionMs = Math.min(this.#positionMs, playback.durationMs);
    return playback;
  }

  /** Notes that somebody asked for something. */
  touch(): void {
    this.#seenAtMs = this.#clock.nowMs();
  }

  /** Notes where a player says it is. */
  tell(positionMs: number): void {
    this.#positionMs = Math.min(positionMs, this.#durationMs);
    this.#toldAtMs = this.#clock.nowMs();
  }

  /** Notes where it seems to be: what it loads lies ahead of what it shows, so what it says itself counts for `tellMs`. */
  assume(positionMs: number, tellMs: number): void {
    if (this.#clock.nowMs() - this.#toldAtMs > tellMs) this.#positionMs = Math.min(positionMs, this.#durationMs);
  }

  /** True if nobody has asked for anything for so long, nobody waits and nothing is being filled. */
  isQuiet(heartbeatMs: number): boolean {
    return (
      this.holds.size === 0 && this.#fill?.state !== 'running' && this.#clock.nowMs() - this.#seenAtMs > heartbeatMs
    );
  }

  /** Encodes all that is missing, in the background; again if that failed before. */
  fill(): void {
    const playback = this.#playback;
    if (playback === undefined || this.#fill?.state === 'running') return;
    const fill: Fill = { state: 'running' };
    this.#fill = fill;
    playback
      .fill(this.#ended.signal)
      .then(() => (fill.state = 'complete'))
      .catch((error: unknown) => Object.assign(fill, { state: 'failed', reason: reasonOf(error) }))
      .finally(() => this.touch());
  }

  /** Becomes idle: encoders that only it needed end; what is encoded stays. */
  rest(): void {
    this.#lastProgress = this.progress().renditions;
    this.#playback?.release();
    this.#playback = undefined;
  }

  /** Ends for good; whoever waits gets `error`. */
  end(error: AppError): void {
    this.#ended.abort(error);
    this.holds.endAll(error);
    this.rest();
  }

  info(): PlaybackInfo {
    const { id, label: title } = this;
    return { id, title, durationMs: this.#durationMs, positionMs: this.#positionMs, playlist: playlistPath(id) };
  }

  view(): SessionView {
    const { id, user, label, startedAtMs } = this;
    return {
      ...{ id, source: label, ...(user !== undefined && { user }) },
      ...{ state: this.isActive ? 'active' : 'idle', playlist: playlistPath(id), watch: `/watch/vod/${id}` },
      ...{ durationMs: this.#durationMs, positionMs: this.#positionMs },
      startedAt: new Date(startedAtMs).toISOString(),
      seenAt: new Date(this.#seenAtMs).toISOString(),
      ...(this.#playback !== undefined && viewTracks(this.#playback)),
    };
  }

  progress(): SessionProgress {
    const renditions = this.#playback?.progress() ?? this.#lastProgress;
    const sum = (figure: 'segments' | 'encoded' | 'bytes'): number =>
      renditions.reduce((total, rendition) => total + rendition[figure], 0);
    return {
      id: this.id,
      state: this.#fill?.state ?? 'on-demand',
      ...(this.#fill?.reason !== undefined && { reason: this.#fill.reason }),
      ...{ segments: sum('segments'), encoded: sum('encoded'), bytes: sum('bytes'), renditions },
    };
  }
}

function playlistPath(id: string): string {
  return `/vod/${id}/index.m3u8`;
}
