import { liveEdge } from '../../upstream/follow/live-edge.ts';
import type { FollowedSegment, PlaylistSnapshot } from '../../upstream/follow/playlist-snapshot.ts';

/** Falling behind where one would begin is borne up to half of the playlist, but no more than this. */
const MAX_LAG_MS = 30_000;

/** Where to begin with a playlist: an index among its segments. */
export type StartRule = (snapshot: PlaylistSnapshot) => number;

/** Where a reader is in a live playlist, and when it has to leave segments out. */
export class PlaylistPosition {
  readonly #start: StartRule;
  #next: number | undefined;
  #skippedMs = 0;
  #skips = 0;
  #jumps = false;

  /** @param start where to begin, and where to go on after something was left out [the live edge] */
  constructor(start: StartRule = liveEdge) {
    this.#start = start;
  }

  /** Media that was left out to stay at the live edge, ms. */
  get skippedMs(): number {
    return this.#skippedMs;
  }

  /** How often something was left out. */
  get skips(): number {
    return this.#skips;
  }

  /** Goes to the live edge with the next segment. */
  jump(): void {
    this.#jumps = this.#next !== undefined;
  }

  /**
   * The segment that is to be read next; `undefined` if it is not listed yet. If others were left out to stay at the live
   * edge, `skippedMs` has grown.
   */
  next(snapshot: PlaylistSnapshot): FollowedSegment | undefined {
    const { segments } = snapshot;
    if (segments.length === 0) return undefined;
    const at = this.#next;
    if (at === undefined) this.#next = segments[this.#start(snapshot)]?.number;
    else if (!snapshot.isRecorded && (this.#jumps || this.#isBehind(snapshot, at))) this.#skipTo(snapshot, at);
    return segments.find(({ number }) => number >= (this.#next ?? 0));
  }

  /** The segment has been read, or is given up. */
  passed({ number }: FollowedSegment): void {
    this.#next = number + 1;
  }

  /** Media that is listed and not read, ms. */
  unreadMs(snapshot: PlaylistSnapshot | undefined): number {
    const next = this.#next ?? Infinity;
    return lengthMs(snapshot?.segments.filter(({ number }) => number >= next) ?? []);
  }

  #isBehind(snapshot: PlaylistSnapshot, at: number): boolean {
    const { segments, targetDurationMs } = snapshot;
    const first = segments[0]?.number ?? at;
    if (at < first) return true;
    const lagMs = lengthMs(segments.filter(({ number }) => number >= at));
    const usualMs = lengthMs(segments.slice(this.#start(snapshot)));
    const toleratedMs = Math.max(2 * targetDurationMs, Math.min(MAX_LAG_MS, lengthMs(segments) / 2));
    return lagMs > usualMs + toleratedMs;
  }

  #skipTo(snapshot: PlaylistSnapshot, at: number): void {
    const { segments, targetDurationMs } = snapshot;
    this.#jumps = false;
    const to = segments[this.#start(snapshot)]?.number ?? at;
    if (to <= at) return;
    const first = segments[0]?.number ?? at;
    const listedMs = lengthMs(segments.filter(({ number }) => number >= at && number < to));
    this.#skippedMs += listedMs + Math.max(0, first - at) * targetDurationMs;
    this.#skips += 1;
    this.#next = to;
  }
}

/** Media that segments hold, ms. */
export function lengthMs(segments: readonly FollowedSegment[]): number {
  return segments.reduce((sum, { segment }) => sum + segment.durationMs, 0);
}
