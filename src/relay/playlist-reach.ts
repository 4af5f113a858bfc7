import type { PlaylistPosition } from '../hls/playback.ts';
import { compareToEdge, type PlaylistEdge, type Reached } from '../hls/playlist-position.ts';
import type { PlaylistSnapshot } from '../upstream/follow/playlist-snapshot.ts';
import { partTargetMsOf } from './relay-playlist.ts';

/** How far a playlist goes; made once for all who wait for it. */
export class PlaylistReach {
  /** How much media it lists, ms. */
  readonly listedMs: number;
  /** Where its end is, as other playlists tell of it; `undefined` unless it has parts and goes on. */
  readonly last: { readonly lastMsn: number; readonly lastPart: number } | undefined;
  readonly #edge: PlaylistEdge;
  readonly #partTargetMs: number;
  readonly #isWaitedFor: boolean;

  constructor(snapshot: PlaylistSnapshot) {
    const { segments, lowLatency, ended } = snapshot;
    this.listedMs = segments.reduce((sum, { segment }) => sum + segment.durationMs, 0);
    this.#edge = edgeOf(snapshot);
    this.#partTargetMs = partTargetMsOf(snapshot);
    // Where blocking is not offered, or nothing will come, directives mean nothing.
    this.#isWaitedFor = lowLatency !== undefined && !ended;
    this.last = this.#isWaitedFor ? lastOf(this.#edge) : undefined;
  }

  /** Whether it has what a client waits for. */
  compare(position: PlaylistPosition | undefined): Reached {
    if (position === undefined || !this.#isWaitedFor) return 'reached';
    return compareToEdge(position, this.#edge, this.#partTargetMs);
  }
}

function edgeOf({ segments, firstNumber, lowLatency }: PlaylistSnapshot): PlaylistEdge {
  const last = segments.at(-1);
  return {
    msn: last?.number ?? firstNumber - 1,
    // A segment whose parts are not told has as many as anybody may wait for.
    parts: last === undefined || last.parts.length === 0 ? Infinity : last.parts.length,
    openParts: lowLatency?.trailingParts.length ?? 0,
  };
}

function lastOf({ msn, parts, openParts }: PlaylistEdge): PlaylistReach['last'] {
  if (openParts > 0) return { lastMsn: msn + 1, lastPart: openParts - 1 };
  // Whoever asks for the part behind the first of a segment without parts gets the next segment.
  return msn < 0 ? undefined : { lastMsn: msn, lastPart: Number.isFinite(parts) ? parts - 1 : 0 };
}
