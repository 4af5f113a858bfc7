import type { Clock } from '../../util/clock.ts';
import type { PullStatus } from './puller.ts';

/** A source that was live and sends nothing for so long is waited for, ms. */
export const SILENT_MS = 5_000;
const LOOK_MS = 250;

interface PullStateOptions {
  readonly clock: Clock;
  /** When a frame left last, on the clock. */
  readonly lastFrameAtMs: () => number | undefined;
  /** Whether what is wanted does not come at present. */
  readonly isFailing: () => boolean;
  /** What went wrong last, if it is not over. */
  readonly lastError: () => string | undefined;
  /** Called after each change of the state or the last error. */
  readonly onChange: () => void;
}

/** Tells from the frames of a source, and from what fails, how it is going. */
export class PullState {
  readonly #options: PullStateOptions;
  readonly #stopLooking: () => void;
  #state: PullStatus['state'] = 'starting';
  #lastError: string | undefined;

  constructor(options: PullStateOptions) {
    this.#options = options;
    this.#stopLooking = options.clock.every(LOOK_MS, () => this.look());
  }

  get state(): PullStatus['state'] {
    return this.#state;
  }

  /** What went wrong last. */
  get lastError(): string | undefined {
    return this.#lastError;
  }

  /** Looks whether something has changed. */
  look(): void {
    this.#enter(this.#stateNow(), this.#options.lastError());
  }

  /** It has come to its end. */
  end(state: 'ended' | 'failed', error?: string): void {
    this.#stopLooking();
    this.#enter(state, error);
  }

  #stateNow(): PullStatus['state'] {
    const { clock, lastFrameAtMs, isFailing } = this.#options;
    const lastMs = lastFrameAtMs();
    if (lastMs === undefined) return isFailing() ? 'waiting' : 'starting';
    return clock.nowMs() - lastMs >= SILENT_MS ? 'waiting' : 'live';
  }

  #enter(state: PullStatus['state'], error: string | undefined): void {
    const lastError = error ?? this.#lastError;
    if (state === this.#state && lastError === this.#lastError) return;
    this.#state = state;
    this.#lastError = lastError;
    this.#options.onChange();
  }
}
