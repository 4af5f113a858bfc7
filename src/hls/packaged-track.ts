import type { StoredBytes } from '../cache/track-store.ts';
import {
  durationMs,
  type Fragment,
  LADDER_TIMESCALE,
  sameInit,
  type TrackInit,
  type TrackKind,
} from '../media/fragment.ts';
import { BitrateMeter } from './bitrate-meter.ts';
import { plausibleFrameRate } from './frame-rate.ts';
import { type HlsOptions, targetDurationSeconds } from './hls-options.ts';
import type { MediaFile } from './media-file.ts';
import type { PlaylistPart } from './media-playlist.ts';
import type { Part } from './part-builder.ts';
import { PartTarget } from './part-target.ts';
import type { PlaylistEdge } from './playlist-position.ts';
import { RecentParts } from './recent-parts.ts';
import { gapSegment, OpenSegment, type Segment } from './segment.ts';
import { SegmentWindow, type WindowStore } from './segment-window.ts';
import type { Slot } from './slot.ts';
import { TrackNames } from './track-names.ts';

/** Parts stay fetchable for so many target durations: they are listed for three, then three more, and their segment. */
const PART_DURATIONS = 7;

/** No playlist lists less than so many target durations (RFC 8216, 6.2.2). */
const MIN_WINDOW_DURATIONS = 3;

/** Settings of a packaged track. */
export interface PackagedTrackOptions {
  readonly kind: TrackKind;
  readonly options: HlsOptions;
  /** Makes the URIs of this track unlike those of any other; never used twice. */
  readonly token: string;
  /** How far back viewers may go. */
  readonly dvrMs?: number;
  /** Where segments go besides memory. */
  readonly store?: WindowStore | undefined;
}

/** What can be played of one track of one rendition: its segments and inits, and the parts of the segment that is being filled. */
export class PackagedTrack {
  readonly kind: TrackKind;
  readonly #options: HlsOptions;
  readonly #names: TrackNames;
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
  #version = 0;
  #frameRate: number | undefined;
  #gaps = 0;

  constructor({ kind, options, token, dvrMs = 0, store }: PackagedTrackOptions) {
    this.kind = kind;
    this.#options = options;
    this.#names = new TrackNames(kind, token);
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

  /** True if the next part goes with what is listed last; false if it begins with another init. */
  get goesOn(): boolean {
    return this.#parts.goesOn;
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

  /** Segments that are kept, gaps since the beginning, and what the segments take of the memory. */
  get counters(): { readonly segments: number; readonly gaps: number; readonly bytes: number } {
    return { segments: this.#window.kept.length, gaps: this.#gaps, bytes: this.#window.bytes };
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

  /** The segment that is being filled. */
  get open(): OpenSegment | undefined {
    return this.#open;
  }

  /** Begins a slot's segment with its first fragment. */
  begin(slot: Slot, fragment: Fragment): void {
    this.#useInit(fragment.init, slot.discontinuity);
    if (this.kind === 'audio') this.#partTarget.fitFrames(durationMs(fragment));
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

  /** Completes the segment that is being filled; `last` if no media follows it in its epoch. */
  close(last: boolean): void {
    const open = this.#open;
    this.#open = undefined;
    if (open !== undefined) this.#add(open.close(last));
  }

  /** States that there is nothing of a slot. */
  addGap(slot: Slot): void {
    this.#add(gapSegment(slot, this.#names.segment(slot.msn), this.#initName));
  }

  /** Unlists what lies before and including the newest gap, so that the track can be offered without one. */
  unlistThroughGaps(): void {
    this.#window.unlistThroughGaps();
    this.#version += 1;
  }

  /** Gives back all segments, in memory and on disk. */
  release(): void {
    this.#window.clear();
  }

  #part(name: string): { readonly bytes: Buffer } | undefined {
    const number = this.#names.partOf(name);
    return number === undefined ? undefined : this.#parts.find(number);
  }

  #segment(name: string): StoredBytes | undefined {
    const msn = this.#names.msnOf(name);
    return msn === undefined ? undefined : this.#window.file(msn);
  }

  #useInit(init: TrackInit, isNewEpoch: boolean): void {
    const isSame = this.#init !== undefined && sameInit(this.#init, init);
    this.#init = init;
    if (isSame && !isNewEpoch) return;
    // Whoever was told of the next part expects it to go with the init before.
    if (this.#initCount > 0) this.#parts.skip();
    this.#initName = this.#names.init(this.#initCount);
    this.#initCount += 1;
    this.#window.addInit(this.#initName, init);
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
    this.#version += 1;
    if (segment.gap) this.#gaps += 1;
    else if (this.kind === 'video') this.#measureFrameRate(segment.media?.frames ?? 0, segment.durationMs);
  }

  #measureFrameRate(frames: number, durationMs: number): void {
    if (durationMs < this.#options.segmentTargetMs / 2 && this.#frameRate !== undefined) return;
    this.#frameRate = plausibleFrameRate((frames * 1000) / durationMs, this.#init?.frameRate);
  }
}
