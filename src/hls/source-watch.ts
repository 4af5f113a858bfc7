/** Tells whether the publisher is away: since it was silent for long, until something is published after its return. */
export class SourceWatch {
  readonly #patienceMs: number;
  #heardAtMs: number;
  #away = false;
  #hasReturned = false;
  #published = 0;

  /** @param patienceMs silence that counts as absence */
  constructor(patienceMs: number, nowMs: number) {
    this.#patienceMs = patienceMs;
    this.#heardAtMs = nowMs;
  }

  get away(): boolean {
    return this.#away;
  }

  /** Media of the publisher has arrived. */
  onMedia(nowMs: number): void {
    this.#heardAtMs = nowMs;
    this.#hasReturned = true;
  }

  /** @param count what is published so far; true if that ends the absence: what only drains from encoders does not */
  onPublished(count: number): boolean {
    const isNew = count !== this.#published;
    this.#published = count;
    if (!this.#away || !this.#hasReturned || !isNew) return false;
    this.#away = false;
    return true;
  }

  /** Looks at the clock; true if the publisher counts as away from now on. */
  check(nowMs: number): boolean {
    if (this.#away || nowMs - this.#heardAtMs < this.#patienceMs) return false;
    this.#away = true;
    this.#hasReturned = false;
    return true;
  }
}
