/** Something that takes its answer. */
export interface Deliverable {
  /** Must not throw. */
  deliver(): void;
}

/** Longest work in one turn of the event loop. */
const SLICE_MS = 4;

/** Hands answers out in short slices, one a turn of the event loop, so that what arrives meanwhile is not kept waiting. */
export class WakeQueue {
  readonly #nowMs: () => number;
  readonly #nextTurn: (task: () => void) => void;
  #waiting: Deliverable[] = [];
  #next = 0;
  #isScheduled = false;

  /** Both parameters are for tests: a clock for the slices, and what runs a task in the next turn. */
  constructor(
    nowMs: () => number = () => performance.now(),
    nextTurn: (task: () => void) => void = (task) => void setImmediate(task),
  ) {
    this.#nowMs = nowMs;
    this.#nextTurn = nextTurn;
  }

  /** Queues an answer; it is delivered in a later turn. */
  push(answer: Deliverable): void {
    this.#waiting.push(answer);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#nextTurn(() => this.#work());
  }

  #work(): void {
    this.#isScheduled = false;
    const untilMs = this.#nowMs() + SLICE_MS;
    do {
      const answer = this.#waiting[this.#next];
      if (answer === undefined) {
        this.#waiting = [];
        this.#next = 0;
        return;
      }
      this.#next += 1;
      answer.deliver();
    } while (this.#nowMs() < untilMs);
    this.#schedule();
  }
}
