import { type Fragment, LADDER_TIMESCALE, sameInit, toLadderTicks, type TrackInit } from '../media/fragment.ts';
import { type Part, PartBuilder } from './part-builder.ts';
import type { Slot } from './slot.ts';

/** A finished row of a track's playlist. */
export interface Segment {
  readonly slot: Slot;
  /** File name of its media; never used for anything else. */
  readonly name: string;
  readonly durationMs: number;
  /** Wall clock of its first frame, ms since the Unix epoch: audio begins a little before or after the slot. */
  readonly programDateTimeMs: number;
  /** Name of the init that its media needs, as in `EXT-X-MAP`. */
  readonly initName: string;
  /** True if there never was media to serve. */
  readonly gap: boolean;
  /** Size of the media; 0 for a gap. */
  readonly bytes: number;
  /** Size of the `moof` + `mdat` of the keyframe that it begins with; 0 for audio and gaps. */
  readonly keyframeBytes: number;
  /** The media, in one piece; `undefined` for a gap, and once it is no longer in memory. */
  readonly media: SegmentMedia | undefined;
}

/** The bytes of a segment. */
interface SegmentMedia {
  readonly bytes: Buffer;
  /** Views into `bytes`. */
  readonly parts: readonly Part[];
  readonly frames: number;
}

/** Media missing inside or at the end of a segment, in ladder ticks, from which on it is worth skipping the segment. */
const MAX_HOLE = 0.5 * LADDER_TIMESCALE;

/** Audio segments end at whole codec frames; a larger difference from the slot is a hole. */
const AUDIO_CUT_MS = 100;

interface OpenSegmentOptions {
  readonly slot: Slot;
  readonly name: string;
  readonly init: TrackInit;
  readonly initName: string;
  readonly longestPartMs: number;
  readonly maxBytes: number;
  readonly nextSequence: () => number;
  /** Takes each part as soon as it is complete. */
  readonly publish: (part: Part) => void;
}

/** The segment that a track is filling. */
export class OpenSegment {
  readonly slot: Slot;
  readonly #options: OpenSegmentOptions;
  readonly #builder: PartBuilder;
  #parts: Part[] = [];
  #bytes = 0;
  #frames = 0;
  #startPts: number | undefined;
  #endPts = -Infinity;
  #run: TrackInit;
  #nextDts: number | undefined;
  #broken = false;
  #isReplayed = false;

  constructor(options: OpenSegmentOptions) {
    this.slot = options.slot;
    this.#options = options;
    this.#run = options.init;
    this.#builder = new PartBuilder(options.longestPartMs, options.nextSequence);
  }

  /** Init of the newest fragment; another object means that another run of an encoder made it. */
  get run(): TrackInit {
    return this.#run;
  }

  /** Largest presentation end so far, in ladder ticks. */
  get endPts(): number {
    return this.#endPts;
  }

  /** Wall clock of the first frame, ms since the Unix epoch. */
  get programDateTimeMs(): number {
    const { slot, init } = this.#options;
    const startPts = init.kind === 'video' ? slot.startPts : (this.#startPts ?? slot.startPts);
    return slot.programDateTimeMs + Math.round(ticksToMs(startPts - slot.startPts));
  }

  /** True if a fragment needs the very decoder set-up of this segment. */
  accepts(fragment: Fragment): boolean {
    return sameInit(this.#options.init, fragment.init);
  }

  /** Takes the next fragment. Of another run than before, what is there already is left out: what was published stays. */
  push(fragment: Fragment): void {
    this.#isReplayed = (this.#isReplayed || fragment.init !== this.#run) && this.#covers(fragment);
    this.#run = fragment.init;
    if (!this.#isReplayed) this.#append(fragment);
  }

  /** Ends the segment. `last` if no media follows it in its epoch, so that it may end early. */
  close(last: boolean): Segment {
    const { slot, name, initName } = this.#options;
    const slotEnd = slot.endPts ?? this.#endPts;
    const isShort = !last && slotEnd - this.#endPts > MAX_HOLE;
    const broken = this.#broken || isShort || this.#endPts - slotEnd > MAX_HOLE;
    const media = broken ? undefined : this.#media();
    if (media === undefined) {
      return { ...gapSegment(slot, name, initName), durationMs: ticksToMs(slotEnd - slot.startPts) };
    }
    const { bytes, parts } = media;
    return {
      ...{ slot, name, initName, media, gap: false, programDateTimeMs: this.programDateTimeMs },
      durationMs: this.#duration(last),
      bytes: bytes.length,
      keyframeBytes: parts[0]?.keyframeBytes ?? 0,
    };
  }

  /** True if there is media from this decode time on already. */
  #covers({ baseDecodeTime, duration }: Fragment): boolean {
    return this.#nextDts !== undefined && baseDecodeTime + duration / 2 < this.#nextDts;
  }

  #append(fragment: Fragment): void {
    const { timescale } = fragment.init;
    this.#startPts ??= toLadderTicks(fragment.firstPts, timescale);
    this.#endPts = Math.max(this.#endPts, toLadderTicks(fragment.endPts, timescale));
    const hole = fragment.baseDecodeTime - (this.#nextDts ?? fragment.baseDecodeTime);
    this.#broken ||= toLadderTicks(hole, timescale) > MAX_HOLE;
    this.#nextDts = fragment.baseDecodeTime + fragment.duration;
    this.#bytes += fragment.bytes.length;
    this.#frames += fragment.samples.length;
    this.#broken ||= this.#bytes > this.#options.maxBytes;
    if (this.#broken) this.#parts = [];
    else this.#publish(this.#builder.push(fragment));
  }

  #publish(parts: readonly Part[]): void {
    this.#parts.push(...parts);
    parts.forEach(this.#options.publish);
  }

  #media(): SegmentMedia {
    this.#publish(this.#builder.flush());
    const bytes = Buffer.concat(this.#parts.map((part) => part.bytes));
    let offset = 0;
    const parts = this.#parts.map((part) => {
      const begin = offset;
      offset += part.bytes.length;
      return { ...part, bytes: bytes.subarray(begin, offset) };
    });
    return { bytes, parts, frames: this.#frames };
  }

  #duration(last: boolean): number {
    const { slot, init } = this.#options;
    const own = ticksToMs(this.#endPts - (init.kind === 'video' ? slot.startPts : (this.#startPts ?? slot.startPts)));
    if (last || slot.endPts === undefined) return own;
    const planned = ticksToMs(slot.endPts - slot.startPts);
    return init.kind === 'audio' && Math.abs(own - planned) < AUDIO_CUT_MS ? own : planned;
  }
}

/** A row without media. */
export function gapSegment(slot: Slot, name: string, initName: string): Segment {
  const durationMs = ticksToMs((slot.endPts ?? slot.startPts) - slot.startPts);
  const { programDateTimeMs } = slot;
  return {
    slot,
    name,
    initName,
    durationMs,
    programDateTimeMs,
    gap: true,
    bytes: 0,
    keyframeBytes: 0,
    media: undefined,
  };
}

function ticksToMs(ticks: number): number {
  return (ticks * 1000) / LADDER_TIMESCALE;
}
