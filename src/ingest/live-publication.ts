import type { FragmentSink } from '../broadcast/fragment-broadcaster.ts';
import { writeFragment } from '../media/cmaf/fragment-writer.ts';
import type { TrackInit, TrackKind } from '../media/fragment.ts';
import type { Clock } from '../util/clock.ts';
import { AppError } from '../util/errors.ts';
import { AirGate } from './air-gate.ts';
import { EpochTracker } from './epoch-tracker.ts';
import type { IngestFrame, Publication, PublicationStats } from './publication.ts';
import type { SourceTracks } from './source-tracks.ts';

/** What one publisher may do before it is cut off. */
export const PUBLICATION_LIMITS = Object.freeze({
  /** Unusable frames in a row. */
  maxDroppedInARow: 3_000,
  /** New epochs within a minute; each of them restarts every encoder of the broadcast. */
  maxEpochsPerMinute: 12,
  /** The same for remote sources, whose advertisements are epochs of their own; they keep to one a second themselves. */
  maxPulledEpochsPerMinute: 90,
  maxFrameBytes: 8 * 1024 * 1024,
  /** Time from its first fragment after which a track that the previous publisher had and this one lacks is closed. */
  adoptWithinMs: 2_000,
});

interface Options {
  readonly broadcast: string;
  /** Where the frames go; stay open when the publication ends. */
  readonly tracks: SourceTracks;
  readonly clock: Clock;
  /** New epochs within a minute before the publisher is cut off. */
  readonly maxEpochsPerMinute: number;
  /** Numbers a new epoch. */
  readonly nextEpoch: () => number;
  /** True if something else is on the air, which the publisher's first keyframe replaces. */
  readonly standsBy: boolean;
  /** Called when the publisher replaces what is on the air: that has to end before this returns. */
  readonly onAir: () => void;
  /** Called once when the publication ends, by whichever side. */
  readonly onEnd: () => void;
  /** Cuts the publisher's connection. */
  readonly disconnect: (reason: AppError) => void;
}

interface SourceTrack {
  readonly sink: FragmentSink;
  epoch: number;
  awaitsKeyframe: boolean;
}

/** A granted publication: turns frames into fragments of the broadcast's source tracks. */
export class LivePublication implements Publication {
  readonly broadcast: string;
  readonly #options: Options;
  readonly #tracks = new Map<TrackKind, SourceTrack>();
  readonly #epochStartsMs: number[] = [];
  #epochs: EpochTracker;
  /** Present while something else is on the air. */
  #gate: AirGate | undefined;
  /** When the first fragment went out since the publisher is on the air. */
  #onAirSinceMs: number | undefined;
  #adopted = false;
  /** True if the next usable frame begins a new epoch. */
  #broken = false;
  #ended = false;
  #frames = 0;
  #bytes = 0;
  #droppedFrames = 0;
  #droppedInARow = 0;
  #lastFrameAtMs: number;

  constructor(options: Options) {
    this.broadcast = options.broadcast;
    this.#options = options;
    this.#epochs = new EpochTracker(options.nextEpoch);
    this.#lastFrameAtMs = options.clock.nowMs();
    if (options.standsBy) this.standBy();
  }

  /** Wall clock of the newest usable frame, or of the start. */
  get lastFrameAtMs(): number {
    return this.#lastFrameAtMs;
  }

  /** True once a frame has reached the source tracks. */
  get hasMedia(): boolean {
    return this.#frames > 0;
  }

  /** Something else goes on the air in the publisher's silence; its next keyframe begins a new epoch. */
  standBy(): void {
    this.#gate = new AirGate(this.#options.tracks.get('video') !== undefined);
  }

  frame(init: TrackInit, frame: IngestFrame): void {
    if (this.#ended) return;
    if (!isUsable(frame) || !this.#isOnAir(init, frame) || !this.#publish(init, frame)) this.#drop();
    else this.#count(frame);
  }

  discontinuity(): void {
    this.#broken = this.hasMedia;
  }

  stats(): PublicationStats {
    return {
      frames: this.#frames,
      bytes: this.#bytes,
      droppedFrames: this.#droppedFrames,
      epoch: this.#epochs.epoch,
    };
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.onEnd();
  }

  /** Ends the publication and cuts the publisher's connection, telling it why. */
  cut(reason: AppError): void {
    this.end();
    this.#options.disconnect(reason);
  }

  /** True if frames go out, from this one on if the publisher can replace what is on the air with it. */
  #isOnAir(init: TrackInit, frame: IngestFrame): boolean {
    if (this.#gate === undefined) return true;
    this.#lastFrameAtMs = this.#options.clock.nowMs();
    if (!this.#gate.opensAt(init.kind, frame.sync, this.#lastFrameAtMs)) return false;
    this.#gate = undefined;
    this.#options.onAir();
    this.#beginAnew();
    return true;
  }

  /** The next frame begins a new epoch, and tells which tracks there are. */
  #beginAnew(): void {
    this.#epochs = new EpochTracker(this.#options.nextEpoch);
    this.#tracks.clear();
    this.#onAirSinceMs = undefined;
    this.#adopted = false;
    this.#broken = false;
  }

  #publish(init: TrackInit, frame: IngestFrame): boolean {
    const epochBefore = this.#epochs.epoch;
    if (this.#broken) this.#beginAnew();
    const epoch = this.#epochs.place(init, (frame.dts * 1000) / init.timescale);
    if (this.#epochs.epoch !== epochBefore && this.#changesEpochTooOften()) return false;
    return epoch !== undefined && this.#emit(init, frame, epoch);
  }

  #emit(init: TrackInit, frame: IngestFrame, epoch: number): boolean {
    const track = this.#trackFor(init, frame, epoch);
    if (track === undefined) return false;
    if (track.epoch !== epoch) {
      track.epoch = epoch;
      track.awaitsKeyframe = true;
    }
    if (track.awaitsKeyframe && !frame.sync) return false;
    track.awaitsKeyframe = false;
    const ingestedAtMs = this.#options.clock.nowMs();
    track.sink.emit(writeFragment({ init, epoch, frames: [frame], ingestedAtMs }));
    this.#lastFrameAtMs = ingestedAtMs;
    this.#closeOrphans(ingestedAtMs);
    return true;
  }

  #trackFor(init: TrackInit, frame: IngestFrame, epoch: number): SourceTrack | undefined {
    const existing = this.#tracks.get(init.kind);
    if (existing !== undefined || !frame.sync) return existing;
    const track = { sink: this.#options.tracks.open(init), epoch, awaitsKeyframe: true };
    this.#tracks.set(init.kind, track);
    return track;
  }

  /** A track that only the previous publisher had would keep players waiting for its media for ever. */
  #closeOrphans(nowMs: number): void {
    this.#onAirSinceMs ??= nowMs;
    if (this.#adopted || nowMs - this.#onAirSinceMs < PUBLICATION_LIMITS.adoptWithinMs) return;
    this.#adopted = true;
    this.#options.tracks.keepOnly(new Set(this.#tracks.keys()));
  }

  #count(frame: IngestFrame): void {
    this.#frames += 1;
    this.#bytes += frame.data.length;
    this.#droppedInARow = 0;
  }

  #drop(): void {
    this.#droppedFrames += 1;
    this.#droppedInARow += 1;
    if (this.#ended || this.#droppedInARow <= PUBLICATION_LIMITS.maxDroppedInARow) return;
    this.cut(
      new AppError(
        'BAD_MEDIA',
        `${this.#droppedInARow} frames in a row were unusable (no keyframe, or times that fit nowhere); restart the encoder`,
      ),
    );
  }

  #changesEpochTooOften(): boolean {
    const nowMs = this.#options.clock.nowMs();
    this.#epochStartsMs.push(nowMs);
    while ((this.#epochStartsMs[0] ?? nowMs) < nowMs - 60_000) this.#epochStartsMs.shift();
    if (this.#epochStartsMs.length <= this.#options.maxEpochsPerMinute) return false;
    this.cut(
      new AppError(
        'BAD_MEDIA',
        `the stream changed its format or time base ${this.#epochStartsMs.length} times within a minute; check the encoder`,
      ),
    );
    return true;
  }
}

function isUsable({ dts, pts, duration, data }: IngestFrame): boolean {
  return (
    Number.isSafeInteger(dts) &&
    Number.isSafeInteger(pts) &&
    Number.isSafeInteger(duration) &&
    dts >= 0 &&
    pts >= 0 &&
    duration > 0 &&
    duration <= 0xffffffff &&
    Math.abs(pts - dts) <= 0x7fffffff &&
    data.length > 0 &&
    data.length <= PUBLICATION_LIMITS.maxFrameBytes
  );
}
