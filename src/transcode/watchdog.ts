import { durationMs, type Fragment } from '../media/fragment.ts';

/** When a silent encoder counts as hung. All in ms. */
export interface WatchdogLimits {
  /** Media that may go in without any output, unless two GOPs are longer. */
  readonly minSilenceMs: number;
  /** Wall time that a run may take on top until its first output. */
  readonly startupMs: number;
}

/** Limits of a live encoder. */
const WATCHDOG_LIMITS: WatchdogLimits = Object.freeze({ minSilenceMs: 2_000, startupMs: 5_000 });

/**
 * Notices a hung encoder: input advances, output does not. Media time and wall time must both have passed, since a burst
 * brings seconds of media at once and a frozen publisher lets time pass without any.
 */
export class Watchdog {
  readonly #limits: WatchdogLimits;
  #lastOutputAtMs: number;
  #inputMs = 0;
  #gopMs = 0;
  #sinceKeyframeMs: number | undefined;
  #started = false;

  constructor(nowMs: number, limits: WatchdogLimits = WATCHDOG_LIMITS) {
    this.#limits = limits;
    this.#lastOutputAtMs = nowMs;
  }

  /** Tells of a fragment that arrived from the source, whether or not the encoder has taken it yet. */
  input(fragment: Fragment): void {
    const mediaMs = durationMs(fragment);
    this.#inputMs += mediaMs;
    if (fragment.keyframe) {
      this.#gopMs = this.#sinceKeyframeMs ?? this.#gopMs;
      this.#sinceKeyframeMs = 0;
    }
    if (this.#sinceKeyframeMs !== undefined) this.#sinceKeyframeMs += mediaMs;
  }

  /** Tells that the encoder put something out. */
  output(nowMs: number): void {
    this.#started = true;
    this.#inputMs = 0;
    this.#lastOutputAtMs = nowMs;
  }

  /** Why the encoder counts as hung, or `undefined` while it does not. */
  verdict(nowMs: number): string | undefined {
    const limitMs = Math.max(this.#limits.minSilenceMs, 2 * this.#gopMs);
    const silentMs = nowMs - this.#lastOutputAtMs;
    const allowedMs = this.#started ? limitMs : limitMs + this.#limits.startupMs;
    if (this.#inputMs <= limitMs || silentMs <= allowedMs) return undefined;
    return `hung: ${Math.round(this.#inputMs)} ms of media went in without any output`;
  }
}
