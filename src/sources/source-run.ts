import type { SourceEntry } from '../config/source-entry.ts';
import type { Closable } from '../util/closer.ts';

/** `waiting`: no address answers at present, another one is tried; `film`: it is played as a file from now on. */
export type RunState = 'starting' | 'live' | 'waiting' | 'ended' | 'failed' | 'film';

/** How a source is doing; `idle`: nothing runs and nothing is wanted. */
export type SourceState = 'idle' | RunState;

/** How a run of a source is going. */
export interface RunStatus {
  readonly state: RunState;
  /** The address at present, without credentials and query. */
  readonly address?: string | undefined;
  /** How often another address took over. */
  readonly failovers: number;
  /** What went wrong last; without secrets. */
  readonly lastError?: string | undefined;
  /** Totals of this run by name. */
  readonly counters: Readonly<Record<string, number>>;
  /** Where a `film` is played. */
  readonly film?: FilmPaths | undefined;
}

/** Paths of a film's session. */
export interface FilmPaths {
  readonly playlist: string;
  readonly watch: string;
}

/** One attempt to run a source, from its start to its end. */
export interface SourceRun extends Closable {
  status(): RunStatus;
  /** Resolves when it has come to its end by itself: `ended`, `failed` or `film`. */
  readonly done: Promise<void>;
  /** Resolves when there is something to play; never on its own if there never is. @throws AppError that says why not */
  ready(signal: AbortSignal): Promise<void>;
  /** Viewers at present. */
  viewers(): number;
}

/** A run that passes the source on as it is. */
export interface RelayRun<Channel> extends SourceRun {
  readonly channel: Channel;
}

/** What a run is started with. */
export interface RunRequest {
  readonly entry: SourceEntry;
  /** `app/name` of what a ladder source becomes. */
  readonly broadcast: string;
  /** Whether a playlist that has its end already is left alone: it was played to that end before. */
  readonly liveOnly: boolean;
  /** Called whenever `status()` tells something else. */
  readonly onChange: () => void;
}

/** Starts runs; neither method waits for anything or throws. */
export interface RunFactory<Channel> {
  ladder(request: RunRequest): SourceRun;
  relay(request: RunRequest): RelayRun<Channel>;
}
