import { durationMs, type Fragment, type TrackKind } from '../media/fragment.ts';

/** Tells when the source has gone on for long without any output of an encoded rung. */
export class SourceProgress {
  readonly #patienceMs: number;
  readonly #mediaMs: Record<TrackKind, number> = { video: 0, audio: 0 };
  #lastOutputAtMs: number | undefined;
  #newestSourceAtMs = 0;

  /** @param patienceMs of wall clock and of media, both, so that neither a burst nor a pause of the source counts */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** True if nobody seems to encode this broadcast. */
  get outputsAreSilent(): boolean {
    const mediaMs = Math.max(this.#mediaMs.video, this.#mediaMs.audio);
    const wallMs = this.#newestSourceAtMs - (this.#lastOutputAtMs ?? this.#newestSourceAtMs);
    return mediaMs > this.#patienceMs && wallMs > this.#patienceMs;
  }

  observeSource(fragment: Fragment): void {
    this.#lastOutputAtMs ??= fragment.ingestedAtMs;
    this.#newestSourceAtMs = Math.max(this.#newestSourceAtMs, fragment.ingestedAtMs);
    this.#mediaMs[fragment.init.kind] += durationMs(fragment);
  }

  observeRung(fragment: Fragment): void {
    this.#lastOutputAtMs = fragment.ingestedAtMs;
    this.#mediaMs.video = 0;
    this.#mediaMs.audio = 0;
  }
}
