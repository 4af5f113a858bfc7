/** Distances that the next keyframe's is predicted from. */
const HISTORY = 3;

/** Decides which of a row of keyframes close a segment. All times in ladder ticks. */
export class BoundaryRule {
  /** Longest segment that the rule makes of a regular row of keyframes: the target with 20 % of room. */
  readonly limit: number;
  #last = 0;
  #distances: number[] = [];

  constructor(target: number) {
    this.limit = Math.round(target * 1.2);
  }

  /** Newest keyframe that was decided on. */
  get last(): number {
    return this.#last;
  }

  /** Begins a new row. */
  restart(pts: number): void {
    this.#last = pts;
    this.#distances = [];
  }

  /**
   * Takes the row's next keyframe: true if it closes the segment that began at `segmentStart`, since waiting for the one
   * after it, predicted from the distances so far, would make the segment too long.
   */
  closesAt(pts: number, segmentStart: number): boolean {
    this.#distances = [...this.#distances.slice(1 - HISTORY), pts - this.#last];
    this.#last = pts;
    return pts - segmentStart + Math.max(...this.#distances) > this.limit;
  }
}
