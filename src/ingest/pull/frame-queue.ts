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
  newestMs: number;
  /** When the newest frame ends. */
  endMs: number;
  /** The other track waits for this one when it has nothing. */
  awaited: boolean;
}

/** Frames of one or two tracks, each in its own order, taken by their decode times. */
export class FrameQueue {
  readonly #lanes = new Map<TrackKind, Lane>();
  #bytes = 0;

  /** Bytes of all frames that wait. */
  get bytes(): number {
    return this.#bytes;
  }

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

  /** Media between the frame that is next and the newest of all, ms. */
  get spanMs(): number {
    const next = this.next;
    return next === undefined ? 0 : Math.max(...this.#lists().map(({ newestMs }) => newestMs)) - next.dueMs;
  }

  /** The frame with the smallest decode time. */
  get next(): QueuedFrame | undefined {
    return this.#nextLane()?.[1];
  }

  push(entry: QueuedFrame): void {
    const { kind } = entry.init;
    const lane = this.#lanes.get(kind) ?? { entries: [], next: 0, newestMs: -Infinity, endMs: 0, awaited: true };
    this.#lanes.set(kind, lane);
    lane.entries.push(entry);
    lane.newestMs = Math.max(lane.newestMs, entry.dueMs);
    lane.endMs = entry.dueMs + (entry.frame.duration * 1000) / entry.init.timescale;
    lane.awaited = true;
    this.#bytes += entry.frame.data.length;
  }

  /** Removes the frame that is next. */
  take(): void {
    const [lane, entry] = this.#nextLane() ?? [];
    if (lane === undefined || entry === undefined) return;
    lane.next += 1;
    this.#bytes -= entry.frame.data.length;
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
    this.#bytes = 0;
  }

  #nextLane(): readonly [Lane, QueuedFrame] | undefined {
    let best: readonly [Lane, QueuedFrame] | undefined;
    for (const lane of this.#lanes.values()) {
      const entry = lane.entries[lane.next];
      if (entry !== undefined && (best === undefined || entry.dueMs < best[1].dueMs)) best = [lane, entry];
    }
    return best;
  }

  #lists(): Lane[] {
    return [...this.#lanes.values()];
  }
}
