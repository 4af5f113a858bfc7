import type { TrackKind } from '../../media/fragment.ts';
import type { Closable } from '../../util/closer.ts';
import { Pacer, type PacerOptions } from './pacer.ts';
import type { SpliceLane } from './splice-lane.ts';
import { Splicer } from './splicer.ts';

const LANE_LOOK_MS = 50;

interface PullOutputOptions extends Omit<PacerOptions, 'sink'> {
  readonly publication: PacerOptions['sink'];
}

/** From a source's own times to its publication: all lanes in one timeline, in real time. */
export class PullOutput implements Closable {
  readonly #options: PullOutputOptions;
  readonly #splicer: Splicer;
  readonly #pacer: Pacer;
  #frames = 0;
  #lastFrameAtMs: number | undefined;

  constructor(options: PullOutputOptions) {
    this.#options = options;
    const { publication, clock } = options;
    this.#pacer = new Pacer({
      ...options,
      sink: {
        discontinuity: () => publication.discontinuity(),
        frame: (init, frame) => {
          this.#frames += 1;
          this.#lastFrameAtMs = clock.nowMs();
          publication.frame(init, frame);
        },
      },
    });
    this.#splicer = new Splicer({ clock, onFrame: (frame, stretch) => this.#pacer.push(frame, stretch) });
  }

  /** When a frame left last, on the clock. */
  get lastFrameAtMs(): number | undefined {
    return this.#lastFrameAtMs;
  }

  /** Totals by name. */
  get counters(): Record<string, number> {
    const { stretches, droppedFrames } = this.#splicer;
    return { frames: this.#frames, stretches, droppedFrames, underruns: this.#pacer.underruns };
  }

  /** A lane for one more playlist; all of them before any begins. The first one has the picture, if there is one. */
  lane(): SpliceLane {
    return this.#splicer.lane();
  }

  /** Resolves when more of a lane with these tracks may be read, or `signal` aborts. Never rejects. */
  async room(lane: SpliceLane, kinds: readonly TrackKind[], signal: AbortSignal): Promise<void> {
    await this.#pacer.room(signal, kinds);
    while (lane.isFull && !signal.aborted) await this.#options.clock.wait(LANE_LOOK_MS, signal);
  }

  /** Resolves when all that was handed in has left, or `signal` aborts. Never rejects. */
  async drained(signal: AbortSignal): Promise<void> {
    this.#splicer.flush();
    await this.#pacer.drained(signal);
  }

  async close(): Promise<void> {
    await this.#splicer.close();
    await this.#pacer.close();
  }
}
