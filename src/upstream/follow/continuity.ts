import type { MediaPlaylist } from '../playlist/media-playlist.ts';
import type { MediaMap, Segment } from '../playlist/segment.ts';
import { align, type AlignmentOptions } from './alignment.ts';
import type { DiscontinuityShifts, ShiftPosition } from './discontinuity-shifts.ts';
import { isSameMap, type KnownSegment, startsOf } from './known-segment.ts';

/** Where a playlist came from. */
export interface PlaylistOrigin {
  /** Which of the addresses. */
  readonly index: number;
  /** How often another address had been taken before. */
  readonly switches: number;
  /** See `AlignmentOptions.hasStalled`. */
  readonly hasStalled: boolean;
}

/** What a playlist has changed. */
export interface Continuation {
  /** `stale`: it was ignored. `refreshed`: no new segment, but perhaps new addresses and parts. */
  readonly kind: 'grown' | 'refreshed' | 'stale';
  /** Why the timeline broke although upstream does not say so. */
  readonly brokeBecause: string | undefined;
}

/**
 * Gives the segments of successive playlists of one rendition our own numbers: strictly consecutive, whatever upstream
 * does with its own, with eras and discontinuities where its timeline breaks. Segments keep their number while tokens,
 * hosts, paths of sessions and upstream's numbers change. Remembers no more than upstream lists,
 * or listed before a break.
 */
export class Continuity {
  readonly #shifts: DiscontinuityShifts;
  readonly #firstEra: number;
  #known: KnownSegment[] = [];
  #position: ShiftPosition = { index: -1, shift: 0 };
  /** Which address the known segments are from. */
  #index = 0;
  #isRecorded = false;
  /** Number of the first segment behind the last break that upstream did not tell. */
  #brokeAt = 0;
  /** How many segments there were before it. */
  #keptAtBreak = 0;

  /** @param firstEra the era of the first segment; the others count on from it */
  constructor({ shifts, firstEra }: { shifts: DiscontinuityShifts; firstEra: number }) {
    this.#shifts = shifts;
    this.#firstEra = firstEra;
  }

  /** In order, without a hole between their numbers. */
  get segments(): readonly KnownSegment[] {
    return this.#known;
  }

  /** The segment behind the last one, as it will be. */
  trailing({ trailing, segments, mediaSequence }: MediaPlaylist): Omit<KnownSegment, 'segment' | 'startMs'> {
    const last = this.#known.at(-1);
    if (last === undefined) {
      const { shift } = this.#position;
      const discontinuitySequence = trailing.discontinuitySequence + shift;
      return { number: mediaSequence, era: this.#firstEra, discontinuity: false, discontinuitySequence };
    }
    return following(last, { ...trailing, before: segments.at(-1)?.map });
  }

  /** Takes the playlist that was loaded last. */
  apply(playlist: MediaPlaylist, origin: PlaylistOrigin): Continuation {
    const { segments, ended, type } = playlist;
    const isRecording = ended || type === 'vod';
    if (segments.length === 0) return { kind: 'refreshed', brokeBecause: undefined };
    if (this.#known.length === 0) {
      this.#begin(playlist, origin);
      this.#isRecorded = isRecording;
      return { kind: 'grown', brokeBecause: undefined };
    }
    const isOtherAddress = origin.index !== this.#index;
    const options: AlignmentOptions = {
      ...{ isOtherAddress, hasStalled: origin.hasStalled },
      isRecorded: this.#isRecorded && isRecording,
    };
    // What was before the last break has nothing to do with upstream's present numbers.
    const run = this.#known.slice(Math.max(0, this.#brokeAt - (this.#known[0]?.number ?? 0)));
    const alignment = align(run, playlist, options);
    if (alignment.kind === 'stale') return { kind: 'stale', brokeBecause: undefined };
    if (alignment.kind === 'breaks') {
      const taken = segments.slice(alignment.from);
      if (taken.length === 0) return { kind: 'stale', brokeBecause: undefined };
      this.#index = origin.index;
      this.#break(taken, startsOf(segments)[alignment.from], origin);
      this.#trim(segments.length);
      return { kind: 'grown', brokeBecause: alignment.reason };
    }
    this.#index = origin.index;
    const before = this.#known.at(-1)?.number;
    this.#continue(segments, alignment.shift);
    this.#trim(segments.length);
    return { kind: this.#known.at(-1)?.number === before ? 'refreshed' : 'grown', brokeBecause: undefined };
  }

  #begin({ segments }: MediaPlaylist, { index, switches }: PlaylistOrigin): void {
    const [first] = segments;
    if (first === undefined) return;
    this.#index = index;
    this.#position = this.#shifts.begin({ turn: switches, first: first.discontinuitySequence });
    const discontinuitySequence = first.discontinuitySequence + this.#position.shift;
    const { discontinuity, sequence: number, programDateTimeMs: startMs } = first;
    this.#add({ number, era: this.#firstEra, discontinuity, discontinuitySequence, segment: first, startMs });
    this.#append(segments.slice(1), first.map);
  }

  #break(taken: readonly Segment[], startMs: number | undefined, { switches: turn }: PlaylistOrigin): void {
    const [first, last] = [taken[0], this.#known.at(-1)];
    if (first === undefined || last === undefined) return;
    this.#brokeAt = last.number + 1;
    this.#keptAtBreak = this.#known.length;
    this.#position = this.#shifts.next(this.#position, {
      turn,
      first: first.discontinuitySequence,
      last: last.discontinuitySequence,
    });
    this.#add({
      ...{ number: last.number + 1, era: last.era + 1, discontinuity: true },
      discontinuitySequence: first.discontinuitySequence + this.#position.shift,
      ...{ segment: first, startMs },
    });
    this.#append(taken.slice(1), first.map);
  }

  #continue(segments: readonly Segment[], shift: number): void {
    const firstNumber = this.#known[0]?.number ?? 0;
    let newFrom = segments.length;
    for (const [index, segment] of segments.entries()) {
      const at = segment.sequence + shift - firstNumber;
      if (segment.sequence + shift < this.#brokeAt) continue;
      const one = this.#known[at];
      if (one !== undefined) this.#known[at] = { ...one, segment: withKnownParts(one.segment, segment) };
      else if (at >= 0) {
        newFrom = index;
        break;
      }
    }
    this.#append(segments.slice(newFrom), (segments[newFrom - 1] ?? this.#known.at(-1)?.segment)?.map);
  }

  #append(segments: readonly Segment[], before: MediaMap | undefined): void {
    for (const segment of segments) {
      const last = this.#known.at(-1);
      if (last === undefined) return;
      const carriedMs = last.startMs === undefined ? undefined : last.startMs + last.segment.durationMs;
      const startMs = segment.programDateTimeMs ?? carriedMs;
      this.#add({ ...following(last, { ...segment, before }), segment, startMs });
      before = segment.map;
    }
  }

  #add(segment: KnownSegment): void {
    this.#known.push(segment);
    this.#shifts.use(segment.discontinuitySequence);
  }

  /** After a break as many segments from before it stay as needed, so that the window does not shrink to a few. */
  #trim(listed: number): void {
    const isBehindBreak = (this.#known[0]?.number ?? 0) >= this.#brokeAt;
    const surplus = this.#known.length - (isBehindBreak ? listed : Math.max(listed, this.#keptAtBreak));
    if (surplus > 0) this.#known = this.#known.slice(surplus);
  }
}

function following(
  last: KnownSegment,
  { discontinuity, map, before }: { discontinuity: boolean; map: MediaMap | undefined; before: MediaMap | undefined },
): Omit<KnownSegment, 'segment' | 'startMs'> {
  const isNewEra = discontinuity || !isSameMap(map, before);
  return {
    number: last.number + 1,
    era: last.era + (isNewEra ? 1 : 0),
    discontinuity,
    discontinuitySequence: last.discontinuitySequence + (discontinuity ? 1 : 0),
  };
}

/** Parts keep their places also when a server lists only the later ones any more. */
function withKnownParts(before: Segment, now: Segment): Segment {
  return now.parts.length >= before.parts.length ? now : { ...now, parts: before.parts };
}
