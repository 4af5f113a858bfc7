import type { TrackKind } from '../../media/fragment.ts';
import type { DemuxedFrame } from '../fmp4-demuxer.ts';

/** A frame that waits to leave. */
export interface QueuedFrame extends DemuxedFrame {
  /** Its decode time, ms. */
  readonly dueMs: number;
  /** Counts the breaks of the timeline. */
  readonly stretch: number;
}

interface Lane {
  entries: QueuedFrame[];
  next: number;
  bytes: number;
  newestMs: number;
  /** When the newest frame ends. */
  endMs: number;
  /** The other track waits for this one when it has nothing. */
  awaited: boolean;
}

/** Frames of one or two tracks, each in its own order, taken by their decode times. */
export class FrameQueue {
  readonly #lanes = new Map<TrackKind, Lane>();

  get isEmpty(): boolean {
    return this.#lists().every((lane) => lane.next >= lane.entries.length);
  }

  /** True if the frame that is next may not be: the other track has none, and one of its could come before. */
  get lacksTrack(): boolean {
    const dueMs = this.next?.dueMs ?? -Infinity;
    return this.#lists().some(
      ({ awaited, next, entries, endMs }) => awaited && next >= entries.length && endMs <= dueMs,
    );
  }

  /** Media from the frame that is next to the newest of these tracks, ms. */
  spanMs(kinds: readonly TrackKind[]): number {
    const next = this.next;
    return next === undefined ? 0 : Math.max(0, ...this.#of(kinds).map(({ newestMs }) => newestMs - next.dueMs));
  }

  /** Bytes of the frames of these tracks. */
  bytes(kinds: readonly TrackKind[]): number {
    return this.#of(kinds).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** The frame with the smallest decode time. */
  get next(): QueuedFrame | undefined {
    return this.#nextLane()?.[1];
  }

  push(entry: QueuedFrame): void {
    const { kind } = entry.init;
    const lane = this.#lanes.get(kind) ?? {
      entries: [],
      next: 0,
      bytes: 0,
      newestMs: -Infinity,
      endMs: 0,
      awaited: true,
    };
    this.#lanes.set(kind, lane);
    lane.entries.push(entry);
    lane.newestMs = Math.max(lane.newestMs, entry.dueMs);
    lane.endMs = entry.dueMs + (entry.frame.duration * 1000) / entry.init.timescale;
    lane.awaited = true;
    lane.bytes += entry.frame.data.length;
  }

  /** Removes the frame that is next. */
  take(): void {
    const [lane, entry] = this.#nextLane() ?? [];
    if (lane === undefined || entry === undefined) return;
    lane.next += 1;
    lane.bytes -= entry.frame.data.length;
    if (lane.next < 64 && lane.next < lane.entries.length) return;
    lane.entries = lane.entries.slice(lane.next);
    lane.next = 0;
  }

  /** Waits no longer for tracks that have nothing, until they have. */
  waive(): void {
    for (const lane of this.#lists()) lane.awaited = lane.next < lane.entries.length;
  }

  clear(): void {
    this.#lanes.clear();
  }

  #nextLane(): readonly [Lane, QueuedFrame] | undefined {
    let best: readonly [Lane, QueuedFrame] | undefined;
    for (const lane of this.#lanes.values()) {
      const entry = lane.entries[lane.next];
      if (entry !== undefined && (best === undefined || entry.dueMs < best[1].dueMs)) best = [lane, entry];
    }
    return best;
  }

  #of(kinds: readonly TrackKind[]): Lane[] {
    return kinds.flatMap((kind) => this.#lanes.get(kind) ?? []);
  }

  #lists(): Lane[] {
    return [...this.#lanes.values()];
  }
}
