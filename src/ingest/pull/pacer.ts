import type { TrackKind } from '../../media/fragment.ts';
import type { Clock } from '../../util/clock.ts';
import type { Closable } from '../../util/closer.ts';
import { deferred, type Deferred } from '../../util/deferred.ts';
import type { DemuxedFrame } from '../fmp4-demuxer.ts';
import type { Publication } from '../publication.ts';
import { DriftControl } from './drift-control.ts';
import { FrameQueue } from './frame-queue.ts';

/** Bounds of what one pacer holds, and of its patience; times in ms. */
export const PACER_LIMITS = Object.freeze({
  /** Media of a track that waits to leave; who reads the source stops there. */
  maxBufferedMs: 5_000,
  maxBufferedBytes: 32 * 1024 * 1024,
  /** How long a track waits for one that lags before it goes on alone. */
  trackWaitMs: 1_000,
  /** A silence longer than this ends with a burst, as at the start. */
  longSilenceMs: 2_000,
});

const ALL_KINDS: readonly TrackKind[] = ['video', 'audio'];
const TICK_MS = 20;
/** Frames that come less late than this keep the schedule. */
const LATE_MS = 200;

/** How a pacer is wired. */
export interface PacerOptions {
  readonly sink: Pick<Publication, 'frame' | 'discontinuity'>;
  readonly clock: Clock;
  /** Media that leaves at once at the start, ms: about one segment, so that every rung has its first one soon. */
  readonly burstMs: number;
  /** Media that the source offers and nobody has read yet, ms; counts as held back when the clocks are compared. */
  readonly unreadMs?: () => number;
  /** False for a source that has an end: it is read as fast as it leaves, so that its clock cannot be told. [true] */
  readonly followsDrift?: boolean;
}

/**
 * Lets frames leave in real time, by their decode times, both tracks merged: remote segments arrive whole, and a broadcast
 * must not. When the source is late the schedule moves; when its clock runs slower or faster than ours, so does the pace.
 */
export class Pacer implements Closable {
  readonly #options: PacerOptions;
  readonly #drift: DriftControl;
  readonly #queue = new FrameQueue();
  readonly #stopTicking: () => void;
  /** The media time that leaves at a time of ours. */
  #anchor: { readonly mediaMs: number; readonly clockMs: number } | undefined;
  /** How far what leaves may be behind the schedule: at a start the source needs time to fill the burst. */
  #creditMs = 0;
  /** True if there was nothing to send, or not what comes next. */
  #starved = false;
  #lackSinceMs: number | undefined;
  #stretch: number | undefined;
  #underruns = 0;
  #closed = false;
  #changed: Deferred<void> | undefined;

  constructor(options: PacerOptions) {
    this.#options = options;
    this.#drift = new DriftControl(options.clock.nowMs());
    this.#stopTicking = options.clock.every(TICK_MS, () => this.#tick());
  }

  /** Media that waits to leave, ms. */
  get bufferedMs(): number {
    return this.#queue.spanMs(ALL_KINDS);
  }

  /** How often the source was late. */
  get underruns(): number {
    return this.#underruns;
  }

  /** Media ms that leave in one ms of ours: 1, or a little more or less while the clocks differ. */
  get speed(): number {
    return this.#options.followsDrift === false ? 1 : this.#drift.speed;
  }

  /** True while no more of these tracks should be handed in. */
  isFull(kinds: readonly TrackKind[] = ALL_KINDS): boolean {
    const { maxBufferedMs, maxBufferedBytes } = PACER_LIMITS;
    return this.#queue.spanMs(kinds) >= maxBufferedMs || this.#queue.bytes(kinds) >= maxBufferedBytes;
  }

  /**
   * Takes the next frame of its track. Times go on in one timeline; `stretch` counts its breaks: the first frame of a larger
   * one is announced to the sink as a discontinuity, and what comes of an older one afterwards is dropped.
   */
  push({ init, frame }: DemuxedFrame, stretch = 0): void {
    if (!this.#closed) this.#queue.push({ init, frame, stretch, dueMs: (frame.dts * 1000) / init.timescale });
  }

  /** Resolves when more of these tracks may be handed in, or `signal` aborts. Never rejects. */
  room(signal: AbortSignal, kinds: readonly TrackKind[] = ALL_KINDS): Promise<void> {
    return this.#until(() => !this.isFull(kinds), signal);
  }

  /** Resolves when all that was handed in has left, or `signal` aborts. Never rejects. */
  drained(signal: AbortSignal): Promise<void> {
    return this.#until(() => this.#queue.isEmpty, signal);
  }

  /** Forgets what waits. */
  close(): Promise<void> {
    this.#closed = true;
    this.#stopTicking();
    this.#queue.clear();
    this.#wake();
    return Promise.resolve();
  }

  async #until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake();
    signal.addEventListener('abort', wake);
    while (!this.#closed && !signal.aborted && !condition()) {
      this.#changed ??= deferred();
      await this.#changed.promise;
    }
    signal.removeEventListener('abort', wake);
  }

  #wake(): void {
    this.#changed?.resolve();
    this.#changed = undefined;
  }

  #tick(): void {
    const nowMs = this.#options.clock.nowMs();
    while (this.#release(nowMs));
    const aheadMs = this.bufferedMs + (this.#options.unreadMs?.() ?? 0);
    const positionMs = this.#positionMs(nowMs);
    if (this.#anchor !== undefined && this.#drift.measure(nowMs, aheadMs)) {
      this.#anchor = { mediaMs: positionMs, clockMs: nowMs };
    }
    this.#wake();
  }

  /** Sends the next frame if it is due. */
  #release(nowMs: number): boolean {
    const entry = this.#queue.next;
    if (entry !== undefined && this.#anchor !== undefined && entry.dueMs > this.#positionMs(nowMs)) {
      this.#creditMs = 0;
      this.#starved = false;
      return false;
    }
    if (entry === undefined || this.#waitsForTrack(nowMs)) {
      this.#starved = true;
      return false;
    }
    this.#keepSchedule(entry.dueMs, nowMs);
    this.#starved = false;
    this.#queue.take();
    const { sink } = this.#options;
    this.#stretch ??= entry.stretch;
    if (entry.stretch < this.#stretch) return true;
    if (entry.stretch > this.#stretch) sink.discontinuity();
    this.#stretch = entry.stretch;
    sink.frame(entry.init, entry.frame);
    return true;
  }

  #waitsForTrack(nowMs: number): boolean {
    if (!this.#queue.lacksTrack) {
      this.#lackSinceMs = undefined;
      return false;
    }
    this.#lackSinceMs ??= nowMs;
    if (nowMs - this.#lackSinceMs < PACER_LIMITS.trackWaitMs) return true;
    this.#queue.waive();
    this.#lackSinceMs = undefined;
    return false;
  }

  /** Moves the schedule if this is the first frame of all, or the first after one that was too late. */
  #keepSchedule(dueMs: number, nowMs: number): void {
    const { burstMs } = this.#options;
    if (this.#anchor === undefined) {
      this.#begin(dueMs, nowMs, burstMs);
      return;
    }
    const lateMs = this.#positionMs(nowMs) - dueMs - this.#creditMs;
    if (!this.#starved || lateMs <= LATE_MS) return;
    this.#underruns += 1;
    this.#begin(dueMs, nowMs, lateMs > PACER_LIMITS.longSilenceMs ? burstMs : 0);
  }

  #begin(dueMs: number, nowMs: number, burstMs: number): void {
    this.#anchor = { mediaMs: dueMs + burstMs, clockMs: nowMs };
    this.#creditMs = burstMs;
    this.#drift.reset(nowMs);
  }

  #positionMs(nowMs: number): number {
    const { mediaMs, clockMs } = this.#anchor ?? { mediaMs: 0, clockMs: nowMs };
    return mediaMs + (nowMs - clockMs) * this.speed;
  }
}
