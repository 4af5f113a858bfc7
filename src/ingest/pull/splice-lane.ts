import type { TrackKind } from '../../media/fragment.ts';
import type { DemuxedFrame } from '../fmp4-demuxer.ts';
import { endOf, startOf } from './stretch.ts';

/** What one lane may hold while another one lags; who fills it stops there. */
const MAX_HELD_TICKS = 5 * 90_000;
const MAX_HELD_BYTES = 16 * 1024 * 1024;

/** Begins a leg: the tracks that it has. */
interface LegStart {
  readonly kinds: readonly TrackKind[];
  readonly sinceMs: number;
}

/**
 * The frames of one playlist on their way into the common timeline, in legs: within one, the source's times go on without a
 * break. `changed` is called after everything that is put in.
 */
export class SpliceLane {
  /** True while what comes belongs to no stretch that is on the air. */
  detached = false;
  readonly #changed: () => void;
  readonly #nowMs: () => number;
  #items: (DemuxedFrame | LegStart)[] = [];
  #heldBytes = 0;
  #ended = false;

  constructor(nowMs: () => number, changed: () => void) {
    this.#nowMs = nowMs;
    this.#changed = changed;
  }

  /** True if nothing comes any more. */
  get hasEnded(): boolean {
    return this.#ended && this.#items.length === 0;
  }

  /** True while no more should be put in. */
  get isFull(): boolean {
    return this.#heldBytes >= MAX_HELD_BYTES || this.#heldTicks >= MAX_HELD_TICKS;
  }

  /** The leg that waits to begin, if that is what comes next. */
  get nextLeg(): LegStart | undefined {
    const [head] = this.#items;
    return head !== undefined && 'kinds' in head ? head : undefined;
  }

  /** The first frame of the leg that waits to begin, once it is there. */
  get firstOfNextLeg(): DemuxedFrame | undefined {
    const second = this.#items[1];
    return this.nextLeg === undefined || second === undefined || 'kinds' in second ? undefined : second;
  }

  /** A new leg begins: what comes does not go on from what came. */
  begin(kinds: readonly TrackKind[]): void {
    const last = this.#items.at(-1);
    const isEmpty = last !== undefined && 'kinds' in last;
    if (isEmpty) this.#items.pop();
    this.#items.push({ kinds, sinceMs: isEmpty ? last.sinceMs : this.#nowMs() });
    this.#changed();
  }

  /** Puts in frames of the leg that began last, each track's in decode order. */
  push(frames: readonly DemuxedFrame[]): void {
    this.#items.push(...frames);
    this.#heldBytes += frames.reduce((sum, { frame }) => sum + frame.data.length, 0);
    this.#changed();
  }

  /** Nothing comes any more. */
  end(): void {
    this.#ended = true;
    this.#changed();
  }

  /** Takes the waiting leg off. */
  takeLeg(): void {
    if (this.nextLeg !== undefined) this.#items.shift();
  }

  /** Takes all frames before the next leg. */
  takeFrames(): DemuxedFrame[] {
    const legAt = this.#items.findIndex((item) => 'kinds' in item);
    const frames = this.#items.splice(0, legAt < 0 ? this.#items.length : legAt) as DemuxedFrame[];
    this.#heldBytes -= frames.reduce((sum, { frame }) => sum + frame.data.length, 0);
    return frames;
  }

  get #heldTicks(): number {
    const first = this.firstOfNextLeg;
    const last = this.#items.at(-1);
    return first === undefined || last === undefined || 'kinds' in last ? 0 : endOf(last) - startOf(first);
  }
}
