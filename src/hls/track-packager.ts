import {
  type Fragment,
  LADDER_TIMESCALE,
  sameInit,
  toLadderTicks,
  type TrackInit,
  type TrackKind,
} from '../media/fragment.ts';
import type { StoredBytes } from '../cache/track-store.ts';
import { BitrateMeter } from './bitrate-meter.ts';
import { KEYFRAME_TOLERANCE } from './epoch-observations.ts';
import { plausibleFrameRate } from './frame-rate.ts';
import { type HlsOptions, targetDurationSeconds } from './hls-options.ts';
import type { MediaFile } from './media-file.ts';
import type { PlaylistPart } from './media-playlist.ts';
import type { Part } from './part-builder.ts';
import { PartTarget } from './part-target.ts';
import { PendingFragments } from './pending-fragments.ts';
import type { PlaylistEdge } from './playlist-position.ts';
import { RecentParts } from './recent-parts.ts';
import { gapSegment, OpenSegment, type Segment } from './segment.ts';
import { SegmentWindow, type WindowStore } from './segment-window.ts';
import type { Slot } from './slot.ts';
import type { Place, Timeline } from './timeline.ts';
import { TrackNames } from './track-names.ts';

/** Audio that begins later than this (ladder ticks) after its slot has lost the slot's beginning. */
const AUDIO_START_TOLERANCE = 0.1 * LADDER_TIMESCALE;

/** The tracks of a publisher need not start at the same time. */
const EPOCH_START_TOLERANCE = 0.5 * LADDER_TIMESCALE;

/** Parts stay fetchable for so many target durations: they are listed for three, then three more, and their segment. */
const PART_DURATIONS = 7;

/** No playlist lists less than so many target durations (RFC 8216, 6.2.2). */
const MIN_WINDOW_DURATIONS = 3;

interface TrackPackagerOptions {
  readonly kind: TrackKind;
  readonly timeline: Timeline;
  readonly options: HlsOptions;
  /** Makes the URIs of this packager unlike those of any other; never used twice. */
  readonly token: string;
  /** How far back viewers may go, for as long as `store` has the media. */
  readonly dvrMs?: number;
  readonly store?: WindowStore | undefined;
}

/**
 * Packages one track of one rendition: cuts its fragments at the timeline's slots, keeps the newest segments, and states
 * a gap for each slot that the track missed.
 */
export class TrackPackager {
  readonly kind: TrackKind;
  readonly #timeline: Timeline;
  readonly #options: HlsOptions;
  readonly #names: TrackNames;
  readonly #pending: PendingFragments;
  readonly #window: SegmentWindow;
  /** Ladder ticks. */
  readonly #minWindow: number;
  readonly #meter: BitrateMeter;
  readonly #keyframeMeter: BitrateMeter;
  readonly #partTarget: PartTarget;
  readonly #parts: RecentParts;
  #init: TrackInit | undefined;
  #initName = '';
  #initCount = 0;
  #sequence = 0;
  #open: OpenSegment | undefined;
  /** Number of the next row; `undefined` until the track has begun its first segment. */
  #nextMsn: number | undefined;
  #awaitsKeyframe = true;
  #version = 0;
  #frameRate: number | undefined;
  #dropped = 0;
  #gaps = 0;

  constructor({ kind, timeline, options, token, dvrMs = 0, store }: TrackPackagerOptions) {
    this.kind = kind;
    this.#timeline = timeline;
    this.#options = options;
    this.#names = new TrackNames(kind, token);
    this.#pending = new PendingFragments({ maxBytes: options.maxPendingBytes, maxMs: options.maxPendingMs });
    const targetMs = 1_000 * targetDurationSeconds(options.segmentTargetMs);
    this.#minWindow = (MIN_WINDOW_DURATIONS * targetMs * LADDER_TIMESCALE) / 1_000;
    this.#window = new SegmentWindow({
      ...{ liveSegments: options.windowSegments, maxMemoryBytes: options.maxTrackBytes },
      ...{ dvrMs: Math.max(dvrMs, MIN_WINDOW_DURATIONS * targetMs), store },
    });
    this.#meter = new BitrateMeter(options.segmentTargetMs / 2);
    this.#keyframeMeter = new BitrateMeter(options.segmentTargetMs / 2);
    this.#partTarget = new PartTarget(options.partTargetMs);
    this.#parts = new RecentParts({ maxMs: PART_DURATIONS * targetMs, maxBytes: options.maxTrackBytes });
  }

  /** Changes with each new row. */
  get version(): number {
    return this.#version;
  }

  /** Counts the parts so far; the next one has this number. */
  get nextPart(): number {
    return this.#parts.next;
  }

  /** Longest part, in whole ms; does not change once there is a segment. */
  get partTargetMs(): number {
    return this.#partTarget.ms;
  }

  /** How far the track is; `undefined` until there is a segment. */
  get edge(): PlaylistEdge | undefined {
    const newest = this.#window.kept.at(-1);
    if (newest === undefined) return undefined;
    const { slot, gap } = newest;
    return {
      msn: slot.msn,
      parts: gap ? Infinity : this.#parts.of(slot.msn).length,
      openParts: this.#parts.of(slot.msn + 1).length,
    };
  }

  /** Init of the newest segment; `undefined` until there is one. */
  get init(): TrackInit | undefined {
    return this.#init;
  }

  /** Frames per second, if they are plausible; video only. */
  get frameRate(): number | undefined {
    return this.#frameRate;
  }

  /** Highest and average bit/s, as playlists may state them. */
  get bitrate(): { readonly peak: number; readonly average: number } {
    return this.#meter;
  }

  /** The same of the keyframes that begin its segments; `undefined` for audio. */
  get keyframeBitrate(): { readonly peak: number; readonly average: number } | undefined {
    return this.kind === 'video' ? this.#keyframeMeter : undefined;
  }

  /** True if a player finds at least one segment in the playlist. */
  get playable(): boolean {
    return this.#window.listed.some(({ gap }) => !gap);
  }

  /** Counters for REST. */
  get counters(): { segments: number; gaps: number; droppedFragments: number; bytes: number; waiting: number } {
    return {
      segments: this.#window.kept.length,
      gaps: this.#gaps,
      droppedFragments: this.#dropped,
      bytes: this.#window.bytes,
      waiting: this.#pending.length,
    };
  }

  /** Rows that the playlist lists; another array once there are others. */
  get listed(): readonly Segment[] {
    return this.#window.listed;
  }

  /** The newest of them: as many as the live window has, and for three target durations at least. */
  get live(): readonly Segment[] {
    const { windowSegments } = this.#options;
    let [count, ticks] = [0, 0];
    const before = this.listed.findLastIndex(({ slot }) => {
      const isEnough = count >= windowSegments && ticks >= this.#minWindow;
      count += 1;
      ticks += (slot.endPts ?? slot.startPts) - slot.startPts;
      return isEnough;
    });
    return this.listed.slice(before + 1);
  }

  /** The init that a row needs. */
  initOf({ initName }: Segment): TrackInit | undefined {
    return this.#window.init(initName);
  }

  /** The media of a row, wherever it is; `undefined` if there is none. */
  mediaOf({ slot }: Segment): StoredBytes | undefined {
    return this.#window.file(slot.msn);
  }

  /** Gives back all segments, in memory and on disk. */
  release(): void {
    this.#window.clear();
  }

  /** Takes the track's next fragment. */
  push(fragment: Fragment): void {
    if (this.#pending.length === 0 && this.#place(fragment)) return;
    const waiting = this.#pending.length;
    if (this.#pending.push(fragment)) return;
    this.#dropped += waiting + 1;
    this.#awaitsKeyframe = true;
  }

  /** The timeline may have decided more. */
  advance(): void {
    while (this.#pending.first !== undefined && this.#place(this.#pending.first)) this.#pending.shift();
    while (this.#isTooFarBehind()) this.#giveUpSlot();
  }

  /** No more fragments will come and the timeline has ended. */
  finish(): void {
    this.advance();
    this.#closeOpen();
  }

  /** Unlists what lies before and including the newest gap, so that the track can be offered without one. */
  unlistThroughGaps(): void {
    this.#window.unlistThroughGaps();
    this.#version += 1;
  }

  /** The parts of a segment as playlists list them, as long as they are kept. */
  partsOf(msn: number): PlaylistPart[] {
    return this.#parts.of(msn).map(({ number, durationMs, independent }) => {
      return { uri: this.#names.part(number), durationMs, independent };
    });
  }

  /** Where the segment that is being filled lies; `undefined` if there is none. */
  get openPlace(): Pick<Segment, 'slot' | 'initName' | 'programDateTimeMs'> | undefined {
    if (this.#open === undefined) return undefined;
    const { slot, programDateTimeMs } = this.#open;
    return { slot, initName: this.#initName, programDateTimeMs };
  }

  /** File name of the part that comes next. */
  get nextPartName(): string {
    return this.#names.part(this.#parts.next);
  }

  /** The file of a name that the playlist has or had. */
  file(name: string): MediaFile | undefined {
    const found = this.#window.init(name) ?? this.#part(name) ?? this.#segment(name);
    if (found === undefined) return undefined;
    const contentType = this.kind === 'video' ? 'video/mp4' : 'audio/mp4';
    return 'path' in found ? { ...found, contentType } : { bytes: found.bytes, contentType };
  }

  #part(name: string): { readonly bytes: Buffer } | undefined {
    const number = this.#names.partOf(name);
    return number === undefined ? undefined : this.#parts.find(number);
  }

  #segment(name: string): StoredBytes | undefined {
    const msn = this.#names.msnOf(name);
    return msn === undefined ? undefined : this.#window.file(msn);
  }

  /** True if the fragment is done with; false if it has to wait. */
  #place(fragment: Fragment): boolean {
    const { init, keyframe } = fragment;
    if (this.kind === 'video' && !keyframe) {
      this.#continueGop(fragment);
      return true;
    }
    const pts = toLadderTicks(fragment.firstPts, init.timescale);
    const place = this.#timeline.locate(fragment.epoch, pts, this.kind === 'video' ? KEYFRAME_TOLERANCE : 0);
    if (place === 'undecided') return false;
    this.#awaitsKeyframe = !this.#enter(place, fragment, pts);
    if (this.#awaitsKeyframe) this.#dropped += 1;
    return true;
  }

  /** A frame that needs those before it follows them into their segment. */
  #continueGop(fragment: Fragment): void {
    // Another init object means another run of the encoder, whose pictures refer to its own.
    if (this.#open?.run !== fragment.init) this.#awaitsKeyframe = true;
    if (this.#awaitsKeyframe) this.#dropped += 1;
    else this.#open?.push(fragment);
  }

  /** Puts a fragment at which decoding may start into its slot; false if the slot cannot take it. */
  #enter(place: Place, fragment: Fragment, pts: number): boolean {
    if (typeof place === 'string' || place.msn < (this.#nextMsn ?? -Infinity)) return false;
    const open = this.#open;
    if (open?.slot.msn === place.msn) {
      if (!open.accepts(fragment)) return false;
      open.push(fragment);
      return true;
    }
    this.#closeOpen();
    if (!this.#startsSlot(place, pts)) return false;
    this.#fillGaps(place.msn);
    this.#begin(place, fragment);
    return true;
  }

  #startsSlot(slot: Slot, pts: number): boolean {
    if (this.kind === 'video') return Math.abs(pts - slot.startPts) <= KEYFRAME_TOLERANCE;
    const isFirstOfEpoch = this.#timeline.slot(slot.msn - 1)?.epoch !== slot.epoch;
    return pts - slot.startPts <= (isFirstOfEpoch ? EPOCH_START_TOLERANCE : AUDIO_START_TOLERANCE);
  }

  #begin(slot: Slot, fragment: Fragment): void {
    this.#useInit(fragment.init, slot.discontinuity);
    this.#nextMsn = slot.msn;
    this.#open = new OpenSegment({
      slot,
      name: this.#names.segment(slot.msn),
      init: fragment.init,
      initName: this.#initName,
      longestPartMs: this.#partTarget.ms,
      maxBytes: this.#options.maxSegmentBytes,
      nextSequence: () => (this.#sequence += 1),
      publish: (part) => this.#publish(slot.msn, part),
    });
    this.#open.push(fragment);
  }

  #useInit(init: TrackInit, isNewEpoch: boolean): void {
    const isSame = this.#init !== undefined && sameInit(this.#init, init);
    this.#init = init;
    if (isSame && !isNewEpoch) return;
    this.#initName = this.#names.init(this.#initCount);
    this.#initCount += 1;
    this.#window.addInit(this.#initName, init);
  }

  #closeOpen(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    const next = this.#timeline.slot(open.slot.msn + 1);
    this.#add(open.close(next?.epoch !== open.slot.epoch));
  }

  /** Both in segments and in time: after a burst every encoder is behind for a while. */
  #isTooFarBehind(): boolean {
    if (this.#nextMsn === undefined) return false;
    const { newest, newestArrivalMs } = this.#timeline;
    const { maxLagSegments, segmentTargetMs } = this.#options;
    if ((newest?.msn ?? 0) - this.#nextMsn <= maxLagSegments) return false;
    const closedAtMs = this.#timeline.slot(this.#nextMsn)?.closedAtMs ?? -Infinity;
    return newestArrivalMs - closedAtMs > maxLagSegments * segmentTargetMs;
  }

  #giveUpSlot(): void {
    if (this.#open === undefined) this.#fillGaps((this.#nextMsn ?? 0) + 1);
    else this.#closeOpen();
    this.#awaitsKeyframe = true;
  }

  /** States a gap for each slot before `msn` that has no row yet. */
  #fillGaps(msn: number): void {
    if (this.#nextMsn === undefined) return;
    for (let missing = this.#nextMsn; missing < msn; missing += 1) {
      const slot = this.#timeline.slot(missing);
      if (slot !== undefined) {
        this.#add(gapSegment(slot, this.#names.segment(missing), this.#initName));
      } else {
        this.#window.clear();
        this.#nextMsn = missing + 1;
      }
    }
  }

  #publish(msn: number, part: Part): void {
    if (this.#options.latency === 'low') this.#parts.add(msn, part);
  }

  #add(segment: Segment): void {
    if (segment.media !== undefined) {
      this.#partTarget.fix(segment.media.parts);
      this.#parts.repoint(segment.slot.msn, segment.media.parts);
    }
    this.#window.add(segment);
    this.#meter.add(segment);
    this.#keyframeMeter.add({ ...segment, bytes: segment.keyframeBytes });
    this.#nextMsn = segment.slot.msn + 1;
    this.#version += 1;
    if (segment.gap) this.#gaps += 1;
    else if (this.kind === 'video') this.#measureFrameRate(segment.media?.frames ?? 0, segment.durationMs);
  }

  #measureFrameRate(frames: number, durationMs: number): void {
    if (durationMs < this.#options.segmentTargetMs / 2 && this.#frameRate !== undefined) return;
    this.#frameRate = plausibleFrameRate((frames * 1000) / durationMs, this.#init?.frameRate);
  }
}
