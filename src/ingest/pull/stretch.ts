import { LADDER_TIMESCALE, toLadderTicks, type TrackKind } from '../../media/fragment.ts';
import type { DemuxedFrame } from '../fmp4-demuxer.ts';
import { CLOCK_TURN } from './ts-times.ts';

/** Times this far apart, in ticks of 90 kHz, may still be of one timeline. */
const NEAR_TICKS = 10 * LADDER_TIMESCALE;
/** What is held at most of a track while another wanted one has not come: segments arrive whole, one track after the other. */
const MAX_HELD_TICKS = 10 * LADDER_TIMESCALE;
const MAX_HELD_BYTES = 16 * 1024 * 1024;

/**
 * Media whose times go on without a break, on its way from the source's timeline to ours: one offset for all of its tracks,
 * which puts its first frame where ours ends. Frames are held until the tracks that belong to it have shown their first.
 */
export class Stretch {
  /** Counts stretches. */
  readonly number: number;
  /** When it began, on the clock. */
  readonly sinceMs: number;
  readonly #wanted: Set<TrackKind>;
  readonly #startTicks: number;
  /** What is added to the times of a track: whole turns of the source's clock. */
  readonly #turns = new Map<TrackKind, number>();
  #held: DemuxedFrame[] = [];
  #heldBytes = 0;
  #heldSinceMs: number | undefined;
  #offsetTicks: number | undefined;
  /** When the first picture is shown. */
  #firstShownTicks = -Infinity;
  #newestTicks: number | undefined;

  /** @param startTicks where our timeline ends, in ticks of 90 kHz */
  constructor(number: number, wanted: Iterable<TrackKind>, startTicks: number, nowMs: number) {
    this.number = number;
    this.sinceMs = nowMs;
    this.#wanted = new Set(wanted);
    this.#startTicks = startTicks;
  }

  /** Where a frame of the source would be on our timeline, in ticks of 90 kHz; `undefined` if that is far from the others. */
  placeOf(given: DemuxedFrame): number | undefined {
    const newest = this.#newestTicks;
    if (newest === undefined || this.#offsetTicks === undefined) return undefined;
    const ticks = startOf(given) + turnsTo(given, newest);
    return Math.abs(ticks - newest) <= NEAR_TICKS ? ticks + this.#offsetTicks : undefined;
  }

  /** Tracks that broke off go on in this stretch: the source's clock may have turned for them. */
  rejoin(kinds: Iterable<TrackKind>): void {
    for (const kind of kinds) this.#turns.delete(kind);
  }

  /** When the first of the frames that are held came, on the clock. */
  get heldSinceMs(): number | undefined {
    return this.#heldSinceMs;
  }

  /** Takes a frame and tells which frames may go on, on our timeline. Frames that are far from the others are left out. */
  take(given: DemuxedFrame, nowMs: number): DemuxedFrame[] {
    const { kind } = given.init;
    const turns = this.#turns.get(kind) ?? turnsTo(given, this.#newestTicks ?? startOf(given));
    this.#turns.set(kind, turns);
    const frame = moved(given, turns);
    const ticks = startOf(frame);
    if (Math.abs(ticks - (this.#newestTicks ?? ticks)) > NEAR_TICKS) return [];
    // Pictures before the first keyframe cannot be shown.
    const isLost = kind === 'video' && !frame.frame.sync && !this.#has('video') && this.#offsetTicks === undefined;
    if (isLost) return [];
    this.#newestTicks = Math.max(this.#newestTicks ?? -Infinity, ticks);
    if (this.#offsetTicks !== undefined) {
      return this.#isHeard(frame) ? [moved(frame, this.#offsetTicks)] : [];
    }
    this.#heldSinceMs ??= nowMs;
    this.#held.push(frame);
    this.#heldBytes += frame.frame.data.length;
    return this.#isComplete() ? this.settle() : [];
  }

  /** Decides the offset with what there is; tells which frames may go on. */
  settle(): DemuxedFrame[] {
    if (this.#offsetTicks !== undefined || this.#held.length === 0) return [];
    const picture = this.#held.find(({ init }) => init.kind === 'video');
    if (picture !== undefined) this.#firstShownTicks = toLadderTicks(picture.frame.pts, picture.init.timescale);
    const frames = this.#held.filter((frame) => this.#isHeard(frame));
    this.#held = [];
    this.#heldBytes = 0;
    this.#heldSinceMs = undefined;
    const offset = this.#startTicks - Math.min(...frames.map(startOf));
    this.#offsetTicks = offset;
    return frames.map((frame) => moved(frame, offset));
  }

  /** False for sound that would be alone, for a frame or more, before the first picture: all renditions begin together. */
  #isHeard(frame: DemuxedFrame): boolean {
    const end = endOf(frame);
    return frame.init.kind === 'video' || end + (end - startOf(frame)) / 2 > this.#firstShownTicks;
  }

  #has(kind: TrackKind): boolean {
    return this.#held.some(({ init }) => init.kind === kind);
  }

  /** True if every wanted track is there, or as much of another one as may be held. */
  #isComplete(): boolean {
    if ([...this.#wanted].every((kind) => this.#has(kind)) || this.#heldBytes > MAX_HELD_BYTES) return true;
    const starts = this.#held.map(startOf);
    return Math.max(...starts) - Math.min(...starts) >= MAX_HELD_TICKS;
  }
}

/** A frame's decode time in ticks of 90 kHz. */
export function startOf({ init, frame }: DemuxedFrame): number {
  return toLadderTicks(frame.dts, init.timescale);
}

/** Where a frame ends, in ticks of 90 kHz. */
export function endOf({ init, frame }: DemuxedFrame): number {
  return toLadderTicks(frame.dts + frame.duration, init.timescale);
}

/** The turns of a 33-bit clock, in ticks, that bring a frame nearest to a time. */
function turnsTo(frame: DemuxedFrame, ticks: number): number {
  return Math.round((ticks - startOf(frame)) / CLOCK_TURN) * CLOCK_TURN;
}

function moved({ init, frame }: DemuxedFrame, ticks: number): DemuxedFrame {
  if (ticks === 0) return { init, frame };
  const shift = Math.round((ticks * init.timescale) / LADDER_TIMESCALE);
  return { init, frame: { ...frame, dts: frame.dts + shift, pts: frame.pts + shift } };
}
