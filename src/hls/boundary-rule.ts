/** Distances that the next keyframe's is predicted from. */
const HISTORY = 3;

/** Lengths in ladder ticks. */
interface BoundaryLimits {
  readonly target: number;
  /** Longest segment that the playlists can state. */
  readonly longest: number;
}

/** Decides which of a row of keyframes close a segment. All times in ladder ticks. */
export class BoundaryRule {
  /** Longest distance of keyframes, and longest segment made of a regular row of them: the target with 20 % of room. */
  readonly limit: number;
  /** Longest segment of all. */
  readonly longest: number;
  #last = 0;
  #distances: number[] = [];

  constructor({ target, longest }: BoundaryLimits) {
    this.limit = Math.round(target * 1.2);
    this.longest = longest;
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
   * after it would make the segment too long: if it comes when the distances so far predict it, or as late as it may.
   */
  closesAt(pts: number, segmentStart: number): boolean {
    this.#distances = [...this.#distances.slice(1 - HISTORY), pts - this.#last];
    this.#last = pts;
    const length = pts - segmentStart;
    return length + Math.max(...this.#distances) > this.limit || length + this.limit > this.longest;
  }
}
