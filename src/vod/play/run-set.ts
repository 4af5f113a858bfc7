import { MAX_HEAD_SEGMENTS } from '../encode/segment-range.ts';
import type { HeadRun } from './head-run.ts';

/** To wait so long for a run that is on its way costs no more than to start another. */
const WORTH_WAITING_MS = 1_500;
const MAX_WORTH_WAITING = 8;

/** The runs of one rendition. No two of them make the same segment. */
export class RunSet implements Iterable<HeadRun> {
  readonly #runs = new Set<HeadRun>();

  get size(): number {
    return this.#runs.size;
  }

  add(run: HeadRun): void {
    this.#runs.add(run);
  }

  delete(run: HeadRun): void {
    this.#runs.delete(run);
  }

  [Symbol.iterator](): Iterator<HeadRun> {
    return this.#runs[Symbol.iterator]();
  }

  /** The run that will make a segment; `undefined` if there is none. */
  covering(index: number): HeadRun | undefined {
    return [...this.#runs].find((run) => run.covers(index));
  }

  /** Lets the run that would make a segment only in a while end there, so that another can begin with it. */
  makeWay(index: number): void {
    const run = this.covering(index);
    if (run !== undefined && !isNear(run, index)) run.cut(index);
  }

  /** Where a run that begins with `first` has to end: at a segment that is there, is being made, or is awaited. */
  gapEnd(
    first: number,
    limit: number,
    isThere: (index: number) => boolean,
    isWanted: (index: number) => boolean,
  ): number {
    const max = Math.min(limit, first + MAX_HEAD_SEGMENTS);
    let end = first + 1;
    while (end < max && !isThere(end) && this.covering(end) === undefined && (end === first + 1 || !isWanted(end)))
      end += 1;
    return end;
  }
}

function isNear({ next, msPerSegment }: HeadRun, index: number): boolean {
  const distance = index - next;
  if (distance <= 1) return true;
  return distance <= MAX_WORTH_WAITING && msPerSegment !== undefined && distance * msPerSegment <= WORTH_WAITING_MS;
}
