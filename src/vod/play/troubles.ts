import type { Clock } from '../../util/clock.ts';
import type { AppError, ErrorCode } from '../../util/errors.ts';
import type { Title } from '../source/title.ts';
import { Hold } from './hold.ts';
import { SegmentFailures } from './segment-failures.ts';
import { SourceEnd } from './source-end.ts';

const SEGMENT_HOLD_MS = 60_000;
const RENDITION_HOLD_MS = 30_000;
const CACHE_HOLD_MS = 10_000;
/** Encoders in a row that made nothing at all before the rendition is given up for a while. */
const MAX_BARREN = 2;
/** Another try cannot help. */
const FINAL: readonly ErrorCode[] = ['GONE', 'FORBIDDEN', 'NOT_FOUND'];

/** What does not work with a rendition, and for how long it is not tried again. */
export class Troubles {
  /** Where the source ends, if that is earlier than it says. */
  readonly sourceEnd: SourceEnd;
  readonly #segments: SegmentFailures;
  /** While nothing can be encoded. */
  readonly #broken: Hold;
  /** While the cache takes nothing. */
  readonly #full: Hold;
  #barren = 0;

  constructor({ source }: Pick<Title, 'source'>, clock: Clock) {
    this.sourceEnd = new SourceEnd(source.label);
    this.#segments = new SegmentFailures(clock, SEGMENT_HOLD_MS);
    this.#broken = new Hold(clock, RENDITION_HOLD_MS);
    this.#full = new Hold(clock, CACHE_HOLD_MS);
  }

  /** Why no segment can be encoded at present; `undefined` if some may. */
  get general(): AppError | undefined {
    return this.#broken.error ?? this.#full.error;
  }

  /** True while nothing can be encoded. */
  get isBroken(): boolean {
    return this.#broken.error !== undefined;
  }

  /** True while the cache takes nothing. */
  get isFull(): boolean {
    return this.#full.error !== undefined;
  }

  /** Why a segment cannot be encoded at present; `undefined` if it may be tried. */
  refusal(index: number): AppError | undefined {
    return this.general ?? this.sourceEnd.beyond(index) ?? this.#segments.blocked(index);
  }

  /** Why no init can be had at present; `undefined` if it may be tried. */
  initRefusal(): AppError | undefined {
    return this.#broken.error ?? this.sourceEnd.beyond(0);
  }

  /** A segment could be encoded. */
  made(index: number): void {
    this.#barren = 0;
    this.#segments.clear(index);
    this.sourceEnd.made(index);
  }

  /**
   * An encoder failed; true if the rendition is given up for a while.
   * @param isHopeless nothing of the rendition could ever be encoded
   */
  failed(error: AppError, isHopeless: boolean): boolean {
    if (isHopeless) this.#barren += 1;
    const isOver = FINAL.includes(error.code) || this.#barren >= MAX_BARREN;
    if (isOver) this.breakDown(error);
    return isOver;
  }

  /** Nothing can be encoded for a while. */
  breakDown(error: AppError): void {
    this.#barren = 0;
    this.#broken.begin(error);
  }

  /** A segment could not be encoded; true if it is not to be tried again for a while. */
  segmentFailed(index: number, error: AppError): boolean {
    return this.#segments.note(index, error);
  }

  /** The cache did not take a segment. */
  notKept(error: AppError): void {
    this.#full.begin(error);
  }
}
