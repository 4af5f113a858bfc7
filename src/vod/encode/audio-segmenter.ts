import { readSamples } from '../../media/cmaf/sample-reader.ts';
import { AppError } from '../../util/errors.ts';
import { type AudioGrid, UNIT_SAMPLES, unitStart } from './audio-grid.ts';
import { packAudioSegment, TIMELINE_ORIGIN_TICKS } from './canonical-fragment.ts';
import { audioDurations } from './segment-durations.ts';
import { type HeadSegment, MAX_SEGMENT_BYTES, type Segmenter, type SegmentRange } from './segment-range.ts';

const TRACK_DEFAULTS = new Map([[1, { duration: 0, size: 0, flags: 0 }]]);
/** A unit this far from where it is expected is taken for the one that is expected; in units. */
const TOLERANCE = 0.75;
/** How much may be missing at the end of a sound without a picture, in seconds. */
const MISSING_AT_END_S = 0.5;

/** A unit of AAC-LC with nothing to hear, by number of channels. */
const SILENT_UNITS: Readonly<Record<number, Buffer>> = {
  1: Buffer.from('01182007', 'hex'),
  2: Buffer.from('211004608c1c', 'hex'),
  3: Buffer.from('011820010880230460e0', 'hex'),
  4: Buffer.from('01182001088023046003182007', 'hex'),
  5: Buffer.from('011820010880230460231004608c1c', 'hex'),
  6: Buffer.from('011820010880230460231004608c0c230000e0', 'hex'),
};

/** Most channels for which holes in a sound can be filled. */
export const MAX_COPIED_CHANNELS = Math.max(...Object.keys(SILENT_UNITS).map(Number));

/** What a segmenter of a sound works with. */
export interface AudioSegmenterOptions extends SegmentRange {
  readonly grid: AudioGrid;
  readonly channels: number;
  /** True if the sound accompanies a picture: where it ends before that, silence follows. */
  readonly fillsToEnd: boolean;
  readonly onSegment: (segment: HeadSegment) => void;
}

/**
 * Gathers access units into segments. Each unit is put on the grid where its time says; holes are filled with silence, what
 * comes twice is dropped. So every segment has exactly the units that the grid says.
 */
export class AudioSegmenter implements Segmenter {
  readonly #options: AudioSegmenterOptions;
  readonly #durations: readonly number[];
  readonly #silence: Buffer;
  #next: number;
  /** Number of the unit that is expected; `undefined` before the first one. */
  #expected: number | undefined;
  #units: Buffer[] = [];
  #bytes = 0;

  constructor(options: AudioSegmenterOptions) {
    const silence = SILENT_UNITS[options.channels];
    if (silence === undefined) throw new TypeError(`${options.channels} channels cannot be filled with silence`);
    this.#silence = silence;
    this.#options = options;
    this.#durations = audioDurations(options.grid);
    this.#next = options.first;
  }

  get next(): number {
    return this.#next;
  }

  push(fragment: Buffer): void {
    const { origin } = this.#options.grid;
    for (const { pts, data } of readSamples(fragment, TRACK_DEFAULTS)[0]?.samples ?? []) {
      this.#put((pts - origin) / UNIT_SAMPLES, data);
    }
  }

  finish(): void {
    const { end, fillsToEnd, grid } = this.#options;
    const last = this.#edge(end);
    const missing = last - this.#position;
    const isShort = missing * UNIT_SAMPLES > MISSING_AT_END_S * grid.sampleRate;
    if (fillsToEnd || (this.#units.length > 0 && !isShort)) this.#fill(last);
    else if (this.#units.length > 0) this.#fill(this.#edge(this.#next + 1));
  }

  /** Number of the unit that the segment in progress needs next. */
  get #position(): number {
    return this.#edge(this.#next) + this.#units.length;
  }

  #put(place: number, unit: Buffer): void {
    const expected = this.#expected ?? Math.round(place);
    const isHere = Math.abs(place - expected) <= TOLERANCE;
    if (!isHere && place < expected) return;
    const number = isHere ? expected : Math.round(place);
    this.#expected = number + 1;
    if (number < this.#position) return;
    this.#fill(number);
    this.#add(unit);
  }

  #fill(end: number): void {
    while (this.#position < end && this.#next < this.#options.end) this.#add(this.#silence);
  }

  #add(unit: Buffer): void {
    if (this.#next >= this.#options.end) return;
    this.#units.push(unit);
    this.#bytes += unit.length;
    if (this.#bytes > MAX_SEGMENT_BYTES) {
      throw new AppError('BAD_MEDIA', `segment ${this.#next} has more than ${MAX_SEGMENT_BYTES} bytes`);
    }
    if (this.#position === this.#edge(this.#next + 1)) this.#emit();
  }

  #emit(): void {
    const { grid, onSegment } = this.#options;
    const index = this.#next;
    const origin = (TIMELINE_ORIGIN_TICKS / 90_000) * grid.sampleRate;
    const startSamples = origin + unitStart(grid, this.#edge(index));
    const bytes = packAudioSegment({ index, startSamples, unitSamples: UNIT_SAMPLES, units: this.#units });
    this.#units = [];
    this.#bytes = 0;
    this.#next += 1;
    onSegment({ index, bytes, durationTicks: this.#durations[index] ?? 0 });
  }

  #edge(segment: number): number {
    return this.#options.grid.edges[segment] ?? Infinity;
  }
}
