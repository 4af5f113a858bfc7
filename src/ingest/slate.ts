import { writeFragment } from '../media/cmaf/fragment-writer.ts';
import type { FrameLoop } from '../media/slate.ts';
import type { Clock } from '../util/clock.ts';
import type { SourceTracks } from './source-tracks.ts';

const TICK_MS = 20;

/** Most media that a tick puts out: what a stalled process has missed is not made up for. */
const MAX_STEP_MS = 200;

interface SlateParts {
  readonly loops: readonly FrameLoop[];
  /** Gets the frames, where a track of the loop's kind is open. */
  readonly tracks: SourceTracks;
  readonly epoch: number;
  readonly clock: Clock;
}

/** Repeats loops into a broadcast's source tracks in real time, from media time zero on, until it is stopped. */
export class Slate {
  readonly #parts: SlateParts;
  readonly #players: readonly LoopPlayer[];
  readonly #stop: () => void;
  #mediaMs = 0;
  #lastTickAtMs: number;

  constructor(parts: SlateParts) {
    this.#parts = parts;
    this.#players = parts.loops.map((loop) => new LoopPlayer(loop, parts));
    this.#lastTickAtMs = parts.clock.nowMs();
    this.#stop = parts.clock.every(TICK_MS, () => this.#tick());
    this.#emitDue();
  }

  /** Puts out nothing more. Idempotent. */
  stop(): void {
    this.#stop();
  }

  #tick(): void {
    const nowMs = this.#parts.clock.nowMs();
    this.#mediaMs += Math.min(nowMs - this.#lastTickAtMs, MAX_STEP_MS);
    this.#lastTickAtMs = nowMs;
    this.#emitDue();
  }

  #emitDue(): void {
    for (;;) {
      const [next] = [...this.#players].sort((a, b) => a.nextMs - b.nextMs);
      if (next === undefined || next.nextMs > this.#mediaMs) return;
      next.emit();
    }
  }
}

/** Writes one loop's frames into its track, one after the other. */
class LoopPlayer {
  readonly #loop: FrameLoop;
  readonly #parts: SlateParts;
  #next = 0;
  #dts = 0;

  constructor(loop: FrameLoop, parts: SlateParts) {
    this.#loop = loop;
    this.#parts = parts;
  }

  /** Media time of the next frame, ms. */
  get nextMs(): number {
    return (this.#dts * 1000) / this.#loop.init.timescale;
  }

  emit(): void {
    const { init, frames } = this.#loop;
    const { tracks, epoch, clock } = this.#parts;
    const frame = frames[this.#next % frames.length];
    if (frame === undefined) throw new TypeError('a loop needs at least one frame');
    const { duration, sync, data } = frame;
    const frameAt = { dts: this.#dts, pts: this.#dts, duration, sync, data };
    tracks.get(init.kind)?.emit(writeFragment({ init, epoch, frames: [frameAt], ingestedAtMs: clock.nowMs() }));
    this.#next += 1;
    this.#dts += duration;
  }
}
