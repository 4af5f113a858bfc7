import { type Fragment, LADDER_TIMESCALE } from '../media/fragment.ts';
import { BoundaryRule } from './boundary-rule.ts';
import { targetDurationSeconds } from './hls-options.ts';
import { EpochObservations, KEYFRAME_TOLERANCE } from './epoch-observations.ts';
import type { Slot } from './slot.ts';
import { SourceProgress } from './source-progress.ts';

/** Settings of a timeline. */
interface TimelineOptions {
  readonly segmentTargetMs: number;
  /** Slots that stay known, so that late renditions find their place. */
  readonly keepSlots: number;
  /** Number of the first slot. */
  readonly firstMsn?: number;
  /** Discontinuities that viewers of this broadcast have seen before; if given, the first slot is one more. */
  readonly discontinuitiesBefore?: number;
}

/** Where a frame belongs: `undecided` if the timeline must see more first, `gone` if no segment will ever hold it. */
export type Place = Slot | 'undecided' | 'gone';

/** Audio may start this much before the first picture of its epoch and still belongs to its first slot. */
const AUDIO_LEAD = 0.5 * LADDER_TIMESCALE;

/** Epochs that may wait for the one before to be decided. */
const MAX_WAITING_EPOCHS = 4;

/** A grid keyframe may be this much (ticks, 10 ms) before its nominal time. */
const GRID_TOLERANCE = 900;

/** Room (ladder ticks, 50 ms) for audio, which is cut at whole frames, below what would be rounded up. */
const ROUNDING_ROOM = 4_500;

type MutableSlot = { -readonly [K in keyof Slot]: Slot[K] };

/**
 * The one segment table of a broadcast: every rendition is cut at its slots, so that segment N is the same picture in all.
 *
 * While two source GOPs in a row fit a segment it is *aligned*: boundaries fall on source keyframes only and are known as
 * the source arrives. With long or unknown GOPs they fall on the keyframes that the encoded rungs offer: those of the
 * source, and one every target duration in between. If nothing encodes, the source drives, with cuts at target distance
 * where it has no keyframe; a broadcast without video is always cut so.
 */
export class Timeline {
  readonly #options: TimelineOptions;
  readonly #target: number;
  readonly #rule: BoundaryRule;
  readonly #progress: SourceProgress;
  /** The epoch that is being decided, then those that wait for it. */
  #epochs: EpochObservations[] = [];
  #slots: MutableSlot[] = [];
  #nextMsn: number;
  #discontinuities: number;
  #opened: EpochObservations | undefined;
  #decidedTo = -Infinity;
  #newestArrivalMs = 0;
  #ended = false;

  constructor(options: TimelineOptions) {
    this.#options = options;
    this.#target = Math.round((options.segmentTargetMs * LADDER_TIMESCALE) / 1000);
    this.#rule = new BoundaryRule({ target: this.#target, longest: longestSegment(options.segmentTargetMs) });
    this.#progress = new SourceProgress(3 * options.segmentTargetMs);
    this.#nextMsn = options.firstMsn ?? 0;
    this.#discontinuities = options.discontinuitiesBefore ?? 0;
  }

  /** True while boundaries fall on source keyframes only, so that untouched video can be listed. */
  get aligned(): boolean {
    return this.#epochs.at(-1)?.aligned === true;
  }

  /** True if no encoded rung decides: there is none, none works, or there is no video. */
  get sourceDriven(): boolean {
    const head = this.#epochs[0];
    return head !== undefined && (head.audioDriven || (!head.aligned && this.#progress.outputsAreSilent));
  }

  /** Newest distance of source keyframes in ms, once known. */
  get sourceGopMs(): number | undefined {
    const gop = this.#epochs.at(-1)?.gop;
    return gop === undefined ? undefined : (gop * 1000) / LADDER_TIMESCALE;
  }

  /** Longest GOP in ms that fits a segment. */
  get longestGopMs(): number {
    return (this.#rule.limit * 1000) / LADDER_TIMESCALE;
  }

  /** Number that the next slot will get. */
  get nextMsn(): number {
    return this.#nextMsn;
  }

  /** Discontinuities up to now. */
  get discontinuities(): number {
    return this.#discontinuities;
  }

  /** Wall clock of the newest arrival of any fragment, ms. */
  get newestArrivalMs(): number {
    return this.#newestArrivalMs;
  }

  /** The newest slot. */
  get newest(): Slot | undefined {
    return this.#slots.at(-1);
  }

  /** The slot of a number, while it is known. */
  slot(msn: number): Slot | undefined {
    const first = this.#slots[0];
    return first === undefined ? undefined : this.#slots[msn - first.msn];
  }

  /** Takes the next fragment of a source track, in the order of ingest. */
  observeSource(fragment: Fragment): void {
    this.#newestArrivalMs = Math.max(this.#newestArrivalMs, fragment.ingestedAtMs);
    const epoch = this.#epochFor(fragment);
    if (epoch === undefined) return;
    this.#progress.observeSource(fragment);
    if (fragment.init.kind === 'video') epoch.observeVideo(fragment);
    else epoch.observeAudio(fragment);
    this.#advance();
  }

  /** Takes the next fragment of a rung that has keyframes of its own making. */
  observeRung(fragment: Fragment): void {
    this.#progress.observeRung(fragment);
    const epoch = this.#epochs.find((candidate) => candidate.epoch === fragment.epoch);
    if (epoch === undefined) return;
    epoch.observeRung(fragment, epoch === this.#opened ? this.#decidedTo : -Infinity);
    this.#advance();
  }

  /** No more media will come: everything that is left is decided. */
  end(): void {
    this.#ended = true;
    this.#advance();
  }

  /** Finds the slot that holds the time `pts` (ladder ticks) of an epoch; one that starts up to `tolerance` later will do. */
  locate(epoch: number, pts: number, tolerance = 0): Place {
    const head = this.#epochs[0];
    if (head !== undefined && (epoch > head.epoch || (epoch === head.epoch && pts > this.#decidedTo))) {
      return 'undecided';
    }
    const after = this.#slots.findLastIndex((slot) => slot.epoch === epoch && slot.startPts <= pts + tolerance);
    if (after >= 0) return this.#slots[after] ?? 'gone';
    const first = this.#slots.find((slot) => slot.epoch === epoch);
    if (first === undefined) return head === undefined && !this.#ended ? 'undecided' : 'gone';
    return this.#startsEpoch(first) && pts >= first.startPts - AUDIO_LEAD ? first : 'gone';
  }

  #startsEpoch(slot: Slot): boolean {
    return slot.discontinuity || slot.msn === (this.#options.firstMsn ?? 0);
  }

  #epochFor({ epoch }: Fragment): EpochObservations | undefined {
    const known = this.#epochs.find((candidate) => candidate.epoch === epoch);
    if (known !== undefined || this.#ended) return known;
    const newest = this.#epochs.at(-1);
    if (newest !== undefined && epoch < newest.epoch) return undefined;
    const created = new EpochObservations(epoch, this.#rule.limit, newest?.aligned ?? false);
    this.#epochs.push(created);
    return created;
  }

  #advance(): void {
    for (;;) {
      const [head, next] = this.#epochs;
      if (head === undefined) return;
      if (head.startPts !== undefined) this.#decide(head, head.startPts);
      if (this.#ended || (next !== undefined && this.#mayLeave(head, next))) this.#finish(head);
      else return;
    }
  }

  /** The rest of an epoch is decided when its rungs are through with it, or nobody waits for them. */
  #mayLeave(head: EpochObservations, next: EpochObservations): boolean {
    if (next.startPts === undefined) return false;
    return (
      head.startPts === undefined ||
      head.aligned ||
      this.sourceDriven ||
      next.newestOutput > -Infinity ||
      this.#epochs.length > MAX_WAITING_EPOCHS
    );
  }

  #finish(head: EpochObservations): void {
    const endPts = Math.max(head.endPts, head.newestOutput);
    if (this.#opened === head) this.#cutUpTo(head, endPts);
    const last = this.#slots.at(-1);
    if (last?.epoch === head.epoch && last.endPts === undefined) {
      this.#close(last, Math.max(endPts, last.startPts + 1));
    }
    this.#epochs.shift();
    this.#opened = undefined;
    this.#decidedTo = -Infinity;
  }

  #decide(head: EpochObservations, startPts: number): void {
    if (this.#opened !== head) {
      this.#opened = head;
      this.#rule.restart(startPts);
      this.#decidedTo = startPts;
      this.#open(head, startPts);
    }
    const silent = this.#progress.outputsAreSilent || (this.#ended && head.newestOutput === -Infinity);
    let decidedTo: number;
    if (head.audioDriven) decidedTo = this.#cutTicks(head, head.newestAudio);
    else if (head.aligned) decidedTo = this.#cutAtSourceKeyframes(head);
    else if (silent) decidedTo = this.#cutAsSourceGoes(head);
    else decidedTo = this.#cutAtOffers(head);
    this.#decidedTo = Math.max(this.#decidedTo, decidedTo);
    head.forget(this.#decidedTo);
  }

  #cutAtSourceKeyframes(head: EpochObservations): number {
    for (const keyframe of head.sourceKeyframes) this.#consider(head, keyframe);
    // Should the next source keyframe not come in time, the rungs' own one after a target duration is the boundary.
    const grid = (head.lastKeyframe ?? head.newestVideo) + this.#target - GRID_TOLERANCE;
    return Math.min(head.newestVideo, grid);
  }

  #cutAtOffers(head: EpochObservations): number {
    for (const offer of head.offers) this.#consider(head, offer);
    // An encoder without keyframes must not hold up everybody's segments.
    this.#cutUpTo(head, head.newestOutput);
    return head.newestOutput;
  }

  /** Lets no segment before a time be longer than playlists can state. */
  #cutUpTo(head: EpochObservations, pts: number): void {
    while (pts - this.#segmentStart() > this.#rule.longest) {
      this.#cut(head, this.#segmentStart() + this.#rule.longest);
    }
  }

  #cutAsSourceGoes(head: EpochObservations): number {
    // Video that stands still while audio goes on must not hold the audio up for ever.
    const newest = Math.max(head.newestVideo, head.newestAudio - 3 * this.#target);
    for (;;) {
      const tick = Math.max(this.#segmentStart() + this.#target, this.#decidedTo + 1);
      const latest = Math.max(this.#segmentStart() + this.#rule.limit, tick);
      const open = Math.max(this.#rule.last + KEYFRAME_TOLERANCE, this.#decidedTo);
      const keyframe = head.sourceKeyframes.find((pts) => pts > open);
      if (keyframe !== undefined && keyframe <= latest) this.#consider(head, keyframe);
      else if (newest >= latest) this.#cut(head, tick);
      else return Math.min(newest, tick - 1);
    }
  }

  #cutTicks(head: EpochObservations, newest: number): number {
    while (newest >= this.#segmentStart() + this.#target) this.#cut(head, this.#segmentStart() + this.#target);
    return newest;
  }

  #consider(head: EpochObservations, keyframe: number): void {
    if (keyframe <= this.#decidedTo || keyframe <= this.#rule.last + KEYFRAME_TOLERANCE) return;
    if (this.#rule.closesAt(keyframe, this.#segmentStart())) this.#open(head, keyframe);
  }

  /** A boundary without a keyframe. */
  #cut(head: EpochObservations, pts: number): void {
    if (pts > this.#rule.last) this.#rule.closesAt(pts, this.#segmentStart());
    this.#open(head, pts);
  }

  #segmentStart(): number {
    return this.#slots.at(-1)?.startPts ?? 0;
  }

  #close(slot: MutableSlot, endPts: number): void {
    slot.endPts = endPts;
    slot.closedAtMs = this.#newestArrivalMs;
  }

  #open(head: EpochObservations, startPts: number): void {
    const previous = this.#slots.at(-1);
    const continues = previous?.epoch === head.epoch;
    if (continues) this.#close(previous, startPts);
    const discontinuity = !continues && (previous !== undefined || this.#options.discontinuitiesBefore !== undefined);
    if (discontinuity) this.#discontinuities += 1;
    this.#slots.push({
      msn: this.#nextMsn,
      epoch: head.epoch,
      startPts,
      endPts: undefined,
      closedAtMs: undefined,
      discontinuity,
      discontinuitySequence: this.#discontinuities,
      ...this.#programDateTime(head, startPts, previous, continues),
    });
    this.#nextMsn += 1;
    if (this.#slots.length > this.#options.keepSlots) this.#slots.shift();
  }

  #programDateTime(
    { clock }: EpochObservations,
    startPts: number,
    previous: Slot | undefined,
    continues: boolean,
  ): Pick<Slot, 'programDateTimeMs' | 'pdtAnchor'> {
    const startMs = (startPts * 1000) / LADDER_TIMESCALE;
    const corrected = continues && clock.correct();
    const earliestMs = previous === undefined ? -Infinity : endOf(previous);
    // Wall clock never runs backwards over the end of the segment before.
    if (clock.at(startMs) < earliestMs - 1) clock.anchor(startMs, earliestMs);
    return { programDateTimeMs: Math.round(clock.at(startMs)), pdtAnchor: !continues || corrected };
  }
}

/** Longest segment whose duration, rounded, is not more than the target duration that the playlists state. */
function longestSegment(segmentTargetMs: number): number {
  return (targetDurationSeconds(segmentTargetMs) + 0.5) * LADDER_TIMESCALE - ROUNDING_ROOM;
}

/** Wall clock of a slot's end, ms. */
function endOf({ programDateTimeMs, startPts, endPts }: Slot): number {
  return programDateTimeMs + (((endPts ?? startPts) - startPts) * 1000) / LADDER_TIMESCALE;
}
