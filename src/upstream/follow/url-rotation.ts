import type { Clock } from '../../util/clock.ts';

const FIRST_DELAY_MS = 500;
const MAX_DELAY_WITHIN_MS = 4_000;
const MAX_DELAY_MS = 30_000;
const FIRST_HOLD_MS = 60_000;
const MAX_HOLD_MS = 600_000;
const SEGMENTS_BEFORE_RETURN = 3;
const JITTER = 0.25;

/** How a rotation behaves. */
export interface UrlRotationOptions {
  /** The addresses, best first; at least one. */
  readonly urls: readonly string[];
  /** Failures in a row after which the next address is taken. */
  readonly failuresBeforeNext: number;
  readonly clock: Clock;
  /** From 0 to below 1; takes up to a quarter off delays [Math.random]. */
  readonly random?: () => number;
}

/** The address that is used at present. */
export interface UpstreamAddress {
  readonly index: number;
  /** As it was given: may hold credentials. */
  readonly url: string;
  /** Grows with every switch, also when the only address is begun anew; tells late reports from present ones. */
  readonly turn: number;
  /** Aborts when another turn begins. */
  readonly left: AbortSignal;
}

/** Why another turn began. */
export interface RotationSwitch {
  readonly from: UpstreamAddress;
  readonly to: UpstreamAddress;
  readonly reason: string;
}

/** What a look at the first address found while another one is used. */
export interface ProbeFinding {
  /** Number of its newest segment; left out where a stream has none. */
  readonly newestSegment?: number;
}

/**
 * Chooses among the addresses of a source: the next one after failures in a row, with growing pauses once all have
 * failed, and the first again when it has been well for a minute and had 3 new segments. Each return that did not last
 * doubles that minute, up to ten. Fetches nothing itself.
 */
export class UrlRotation {
  readonly #options: UrlRotationOptions;
  readonly #listeners = new Set<(change: RotationSwitch) => void>();
  /** Failures in a row at the present address, by who reports them. */
  readonly #failures = new Map<string, number>();
  #leave = new AbortController();
  #current: UpstreamAddress;
  #failovers = 0;
  #lastError: string | undefined;
  /** Addresses left without a success since. */
  #leftInARow = 0;
  #holdMs = FIRST_HOLD_MS;
  #returnedAtMs: number | undefined;
  #well: { readonly sinceMs: number; readonly firstSegment: number | undefined } | undefined;

  constructor(options: UrlRotationOptions) {
    this.#options = options;
    this.#current = this.#address(0, 0);
  }

  get current(): UpstreamAddress {
    return this.#current;
  }

  /** Every address has failed since the last success. */
  get exhausted(): boolean {
    return this.#leftInARow >= this.#options.urls.length;
  }

  /** An address has been left because of a failure and nothing has succeeded since. */
  get isFailing(): boolean {
    return this.#leftInARow > 0;
  }

  /** How often another address than before was taken, returns to the first included. */
  get failovers(): number {
    return this.#failovers;
  }

  /** Why something failed last; undefined while all is well. */
  get lastError(): string | undefined {
    return this.#lastError;
  }

  /** Whether the first address should be looked at, see `probed()`: every half minute is right. */
  get wantsProbe(): boolean {
    return this.#current.index !== 0;
  }

  /**
   * Reports a failure at an address; one that has been left already changes nothing.
   * @param by who reports: failures in a row count for each reporter apart
   * @returns how long to wait, in ms, before the next try at `current`
   */
  failed(address: UpstreamAddress, reason: string, by = ''): number {
    if (address.turn !== this.#current.turn) return 0;
    this.#lastError = reason;
    const count = (this.#failures.get(by) ?? 0) + 1;
    const { urls, failuresBeforeNext } = this.#options;
    if (count < failuresBeforeNext && !this.exhausted) {
      this.#failures.set(by, count);
      return this.#jittered(Math.min(MAX_DELAY_WITHIN_MS, FIRST_DELAY_MS * 2 ** (count - 1)));
    }
    this.#goOn(reason);
    if (this.#leftInARow % urls.length !== 0) return 0;
    const doublings = failuresBeforeNext - 2 + this.#leftInARow / urls.length;
    return this.#jittered(Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(doublings, 10)));
  }

  /** Leaves an address at once, for instance because nothing new comes from it. */
  giveUp(address: UpstreamAddress, reason: string): void {
    if (address.turn !== this.#current.turn) return;
    this.#lastError = reason;
    this.#goOn(reason);
  }

  /** Reports that an address gave what it should: new segments, or bytes of a stream. */
  succeeded(address: UpstreamAddress, by = ''): void {
    if (address.turn !== this.#current.turn) return;
    this.#failures.delete(by);
    this.#leftInARow = 0;
    if (this.#failures.size === 0) this.#lastError = undefined;
  }

  /** Takes what a look at the first address found; undefined if it does not work. */
  probed(finding: ProbeFinding | undefined): void {
    if (!this.wantsProbe || finding === undefined) {
      this.#well = undefined;
      return;
    }
    const nowMs = this.#options.clock.nowMs();
    const { newestSegment: newest } = finding;
    const first = this.#well?.firstSegment;
    const wentBack = newest !== undefined && first !== undefined && newest < first;
    if (this.#well === undefined || wentBack) this.#well = { sinceMs: nowMs, firstSegment: newest };
    const { sinceMs, firstSegment } = this.#well;
    const grew = (newest ?? SEGMENTS_BEFORE_RETURN) - (firstSegment ?? 0) >= SEGMENTS_BEFORE_RETURN;
    if (!grew || nowMs - sinceMs < this.#holdMs) return;
    this.#returnedAtMs = nowMs;
    this.#switchTo(0, 'the first address works again');
  }

  /** Calls `listener` after each switch until the returned function is called. */
  onSwitch(listener: (change: RotationSwitch) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  #goOn(reason: string): void {
    const { urls, clock } = this.#options;
    if (this.#current.index === 0 && this.#returnedAtMs !== undefined) {
      const lastedMs = clock.nowMs() - this.#returnedAtMs;
      this.#holdMs = lastedMs < MAX_HOLD_MS ? Math.min(MAX_HOLD_MS, this.#holdMs * 2) : FIRST_HOLD_MS;
      this.#returnedAtMs = undefined;
    }
    this.#leftInARow += 1;
    this.#switchTo((this.#current.index + 1) % urls.length, reason);
  }

  #switchTo(index: number, reason: string): void {
    const from = this.#current;
    const leave = this.#leave;
    if (index !== from.index) this.#failovers += 1;
    this.#failures.clear();
    this.#well = undefined;
    this.#leave = new AbortController();
    this.#current = this.#address(index, from.turn + 1);
    leave.abort();
    for (const listener of [...this.#listeners]) listener({ from, to: this.#current, reason });
  }

  #address(index: number, turn: number): UpstreamAddress {
    return Object.freeze({ index, url: this.#options.urls[index] ?? '', turn, left: this.#leave.signal });
  }

  #jittered(ms: number): number {
    return Math.round(ms * (1 - JITTER * (this.#options.random ?? Math.random)()));
  }
}
