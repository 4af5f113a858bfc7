import { LADDER_TIMESCALE, type TrackKind } from '../../media/fragment.ts';
import type { Clock } from '../../util/clock.ts';
import type { Closable } from '../../util/closer.ts';
import type { DemuxedFrame } from '../fmp4-demuxer.ts';
import { SpliceLane } from './splice-lane.ts';
import { endOf, startOf, Stretch } from './stretch.ts';

/** How long lanes wait for each other, ms. */
export const SPLICE_WAIT_MS = 2_500;

/** Room before the first frame for presentation times that lie before their decode times, in ticks of 90 kHz. */
const START_TICKS = 10 * LADDER_TIMESCALE;
/** How far a leg that goes on may lie before the end of what came, in ticks of 90 kHz. */
const OVERLAP_TICKS = 0.1 * LADDER_TIMESCALE;
const TICK_MS = 100;

interface SplicerOptions {
  readonly clock: Clock;
  /** Takes each frame on the one timeline, with the number of its stretch; each track's times grow. */
  readonly onFrame: (frame: DemuxedFrame, stretch: number) => void;
}

/**
 * Joins what a source's playlists give, each with breaks of its own, into one timeline that never goes back. Where all lanes
 * break, a new stretch begins with one offset for all tracks. Where only one breaks, and its times still fit those of the
 * others, it goes on where it is; else the first lane, which has the picture, decides.
 */
export class Splicer implements Closable {
  readonly #options: SplicerOptions;
  readonly #lanes: SpliceLane[] = [];
  /** Of each track's newest frame, in ticks of 90 kHz. */
  readonly #starts = new Map<TrackKind, number>();
  readonly #ends = new Map<TrackKind, number>();
  readonly #stopTicking: () => void;
  #stretch: Stretch | undefined;
  #stretches = 0;
  #awaitsKeyframe = false;
  #droppedFrames = 0;

  constructor(options: SplicerOptions) {
    this.#options = options;
    this.#stopTicking = options.clock.every(TICK_MS, () => this.#advance());
  }

  /** Stretches that have begun. */
  get stretches(): number {
    return this.#stretches;
  }

  /** Frames that fitted nowhere. */
  get droppedFrames(): number {
    return this.#droppedFrames;
  }

  /** A lane for one more playlist; all of them before any begins. The first one has the picture, if there is one. */
  lane(): SpliceLane {
    const { clock } = this.#options;
    const lane = new SpliceLane(
      () => clock.nowMs(),
      () => this.#advance(),
    );
    this.#lanes.push(lane);
    return lane;
  }

  /** Lets go what still waits for tracks that do not come any more. */
  flush(): void {
    this.#emit(this.#stretch?.settle() ?? []);
  }

  close(): Promise<void> {
    this.#stopTicking();
    return Promise.resolve();
  }

  #advance(): void {
    const nowMs = this.#options.clock.nowMs();
    do {
      for (const lane of this.#lanes) this.#take(lane, nowMs);
    } while (this.#beginNext(nowMs));
    if (nowMs - (this.#stretch?.heldSinceMs ?? nowMs) >= SPLICE_WAIT_MS) this.flush();
  }

  #take(lane: SpliceLane, nowMs: number): void {
    const frames = lane.takeFrames();
    const [first] = frames;
    const stretch = this.#stretch;
    if (first === undefined || stretch === undefined) return;
    // By then nothing that was before the break can still come.
    if (lane.detached && nowMs - stretch.sinceMs >= SPLICE_WAIT_MS && this.#fits(first)) lane.detached = false;
    if (lane.detached) this.#droppedFrames += frames.length;
    else for (const frame of frames) this.#emit(stretch.take(frame, nowMs));
  }

  /** Begins the legs that can begin; false if there are none. */
  #beginNext(nowMs: number): boolean {
    const waiting = this.#lanes.filter(({ nextLeg }) => nextLeg !== undefined);
    if (waiting.length === 0) return false;
    if (this.#lanes.every((lane) => lane.nextLeg !== undefined || lane.hasEnded)) {
      this.#beginStretch(waiting, nowMs);
      return true;
    }
    const lane = waiting.find(({ nextLeg }) => nowMs - (nextLeg?.sinceMs ?? nowMs) >= SPLICE_WAIT_MS);
    const first = lane?.firstOfNextLeg;
    if (lane === undefined || first === undefined) return false;
    const fits = this.#fits(first);
    if (fits) this.#stretch?.rejoin(lane.nextLeg?.kinds ?? []);
    if (!fits && lane === this.#lanes[0]) this.#beginStretch([lane], nowMs);
    else {
      lane.detached = !fits;
      lane.takeLeg();
    }
    return true;
  }

  #beginStretch(lanes: readonly SpliceLane[], nowMs: number): void {
    this.flush();
    const kinds = lanes.flatMap(({ nextLeg }) => nextLeg?.kinds ?? []);
    this.#stretch = new Stretch(this.#stretches, kinds, Math.max(START_TICKS, ...this.#ends.values()), nowMs);
    this.#stretches += 1;
    for (const lane of this.#lanes) lane.detached = !lanes.includes(lane);
    for (const lane of lanes) lane.takeLeg();
  }

  /** True if a frame may go on where its track is. */
  #fits(frame: DemuxedFrame): boolean {
    const place = this.#stretch?.placeOf(frame);
    return place !== undefined && place >= (this.#ends.get(frame.init.kind) ?? 0) - OVERLAP_TICKS;
  }

  #emit(frames: readonly DemuxedFrame[]): void {
    for (const frame of frames) {
      const { kind } = frame.init;
      const isBack = startOf(frame) <= (this.#starts.get(kind) ?? -Infinity);
      // What follows a picture that was left out cannot be shown either.
      if (kind === 'video' && (isBack || frame.frame.sync)) this.#awaitsKeyframe = isBack;
      if (isBack || (kind === 'video' && this.#awaitsKeyframe)) {
        this.#droppedFrames += 1;
        continue;
      }
      this.#starts.set(kind, startOf(frame));
      this.#ends.set(kind, endOf(frame));
      this.#options.onFrame(frame, this.#stretch?.number ?? 0);
    }
  }
}
