import { AppError, reasonOf } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import type { Answer, ClientSignal } from './playback.ts';
import { type Deliverable, WakeQueue } from './wake-queue.ts';

/** Requests that may wait at a time, in all broadcasts together. */
const MAX_WAITING = 20_000;

/** What all waiting requests of the process share: a limit on their number, and the queue of their answers. */
export class WaitingRoom {
  readonly queue: WakeQueue;
  readonly #logger: Logger;
  readonly #max: number;
  #count = 0;

  constructor(logger: Logger, max: number = MAX_WAITING, queue: WakeQueue = new WakeQueue()) {
    this.#logger = logger;
    this.#max = max;
    this.queue = queue;
  }

  /** Requests that have no answer yet. */
  get count(): number {
    return this.#count;
  }

  /** Takes one more in; false if there are too many. */
  enter(): boolean {
    if (this.#count >= this.#max) return false;
    this.#count += 1;
    return true;
  }

  leave(): void {
    this.#count -= 1;
  }

  /** Notes that taking an answer failed. */
  onAnswerFailed(error: unknown): void {
    this.#logger.error({ reason: reasonOf(error) }, 'a request could not be answered');
  }
}

/** The requests that wait for the same thing to go on. `R` is a request, `T` its answer. */
export class WaitingList<R extends { readonly signal: ClientSignal }, T> {
  readonly #room: WaitingRoom;
  /** In the order in which their time ends. */
  readonly #waiters = new Set<Waiter<R, T>>();

  constructor(room: WaitingRoom) {
    this.#room = room;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** Lets a request wait until it is settled, but no longer than `untilMs`, which never is earlier than the last one's. */
  add(request: R, answer: Answer<T>, untilMs: number): void {
    if (request.signal.aborted) return;
    if (this.#room.enter()) this.#waiters.add(new Waiter({ request, answer, untilMs }, this.#waiters, this.#room));
    else answer(new AppError('UNAVAILABLE', 'too many requests wait already; try again in a few seconds'));
  }

  /** Answers all requests for which there is a result now. */
  settle(resultOf: (request: R) => T | AppError | undefined): void {
    for (const waiter of this.#waiters) {
      const result = resultOf(waiter.request);
      if (result !== undefined) waiter.finish(result);
    }
  }

  /** Answers those whose time is over. */
  expire(nowMs: number, error: () => AppError): void {
    for (const waiter of this.#waiters) {
      if (waiter.untilMs > nowMs) return;
      waiter.finish(error());
    }
  }
}

interface Waiting<R, T> {
  readonly request: R;
  readonly answer: Answer<T>;
  readonly untilMs: number;
}

/** Listens to its request's signal itself: there may be thousands, and a closure each would be felt. */
class Waiter<R extends { readonly signal: ClientSignal }, T> implements Deliverable {
  readonly request: R;
  readonly untilMs: number;
  readonly #list: Set<Waiter<R, T>>;
  readonly #room: WaitingRoom;
  #answer: Answer<T> | undefined;
  #result: T | AppError | undefined;

  constructor({ request, answer, untilMs }: Waiting<R, T>, list: Set<Waiter<R, T>>, room: WaitingRoom) {
    this.request = request;
    this.untilMs = untilMs;
    this.#answer = answer;
    this.#list = list;
    this.#room = room;
    request.signal.addEventListener('abort', this);
  }

  /** Sends the result off. */
  finish(result: T | AppError): void {
    this.#list.delete(this);
    this.#result = result;
    this.#room.queue.push(this);
  }

  deliver(): void {
    const answer = this.#answer;
    const result = this.#result;
    if (answer === undefined || result === undefined) return;
    this.#leave();
    try {
      answer(result);
    } catch (error) {
      this.#room.onAnswerFailed(error);
    }
  }

  /** The client has gone. */
  handleEvent(): void {
    this.#list.delete(this);
    if (this.#answer !== undefined) this.#leave();
  }

  #leave(): void {
    this.#answer = undefined;
    this.#result = undefined;
    this.request.signal.removeEventListener('abort', this);
    this.#room.leave();
  }
}
