import type { StreamMetadata } from '../../media/flv/stream-metadata.ts';
import type { VideoCodec, VideoMessage } from '../../media/flv/video-message.ts';
import { buildVideoInit } from '../../media/cmaf/init-writer.ts';
import { LADDER_TIMESCALE, type TrackInit } from '../../media/fragment.ts';
import type { IngestFrame } from '../publication.ts';

const TICKS_PER_MS = LADDER_TIMESCALE / 1000;
const DEFAULT_DURATION = LADDER_TIMESCALE / 30;
/** A longer distance is a jump of the clock, not the duration of a frame. */
const MAX_DURATION = 10 * LADDER_TIMESCALE;

/** Where a track's frames go. */
export type FrameSink = (init: TrackInit, frame: IngestFrame) => void;

interface PendingFrame {
  readonly init: TrackInit;
  readonly dts: number;
  readonly pts: number;
  readonly sync: boolean;
  readonly data: Buffer;
  readonly arrivedAtMs: number;
}

/**
 * Turns the video messages of one track into frames. A frame is held until the next one tells its duration, or until
 * `flush()`. Times are the publisher's own, in 90 kHz ticks.
 */
export class VideoTrack {
  readonly #sink: FrameSink;
  #metadata: StreamMetadata = {};
  #init: TrackInit | undefined;
  #config: Buffer | undefined;
  #codec: VideoCodec | undefined;
  #pending: PendingFrame | undefined;
  #last = { ms: NaN, dts: NaN };
  #lastDuration = DEFAULT_DURATION;
  #dropped = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Frames that could not be used: before the sequence header or before time zero. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Hints for decoder set-ups that do not tell size or frame rate; takes effect with the next set-up. */
  describe(metadata: StreamMetadata): void {
    this.#metadata = metadata;
  }

  /** @throws AppError `BAD_MEDIA` for a decoder set-up that cannot be used. */
  message(message: VideoMessage, timestampMs: number, nowMs: number): void {
    switch (message.kind) {
      case 'config': {
        this.#configure(message.codec, message.config);
        return;
      }
      case 'frame': {
        this.#frame(message, timestampMs, nowMs);
        return;
      }
      case 'end': {
        this.flush();
        return;
      }
      default:
        return;
    }
  }

  /** Hands the held frame out if it has waited since before `beforeMs`, with the last known duration. */
  flush(beforeMs = Infinity): void {
    const pending = this.#pending;
    if (pending !== undefined && pending.arrivedAtMs < beforeMs) this.#emit(pending, this.#lastDuration);
  }

  #configure(codec: VideoCodec, config: Buffer): void {
    if (this.#codec === codec && this.#config?.equals(config) === true) return;
    this.flush();
    this.#init = undefined;
    this.#config = undefined;
    const { width, height, frameRate } = this.#metadata;
    this.#init = buildVideoInit({
      fourcc: codec,
      config,
      ...(width !== undefined && { width }),
      ...(height !== undefined && { height }),
      ...(frameRate !== undefined && { frameRate }),
    });
    this.#codec = codec;
    this.#config = config;
  }

  #frame(message: VideoMessage & { kind: 'frame' }, ms: number, nowMs: number): void {
    if (this.#init === undefined || message.codec !== this.#codec || ms < 0) {
      this.#dropped += 1;
      return;
    }
    // Two frames of the same ms still follow each other.
    const dts = ms === this.#last.ms ? this.#last.dts + 1 : ms * TICKS_PER_MS;
    this.#last = { ms, dts };
    if (this.#pending !== undefined) this.#emit(this.#pending, this.#durationUntil(this.#pending.dts, dts));
    const pts = (ms + message.compositionMs) * TICKS_PER_MS;
    const { keyframe: sync, data } = message;
    this.#pending = { init: this.#init, dts, pts, sync, data, arrivedAtMs: nowMs };
  }

  #durationUntil(dts: number, next: number): number {
    const duration = next - dts;
    if (duration <= 0 || duration > MAX_DURATION) return this.#lastDuration;
    this.#lastDuration = duration;
    return duration;
  }

  #emit({ init, dts, pts, sync, data }: PendingFrame, duration: number): void {
    this.#pending = undefined;
    this.#sink(init, { dts, pts, duration, sync, data });
  }
}
