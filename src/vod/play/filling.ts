import type { Clock } from '../../util/clock.ts';
import { AppError } from '../../util/errors.ts';
import { Hold } from './hold.ts';
import type { RenditionEntry } from './rendition-entry.ts';
import { Wishes } from './wishes.ts';

interface FillingOptions {
  readonly entry: RenditionEntry;
  readonly segmentCount: number;
  /** What else has to be done before the entry is complete. */
  readonly gate: () => Promise<unknown>;
  readonly clock: Clock;
}

/** How long an entry that could not be completed is left alone. */
const HOLD_MS = 60_000;

/** Brings an entry to its end: completes it once everything is there, and knows who wants everything. */
export class Filling {
  readonly #options: FillingOptions;
  readonly #wishes = new Wishes<void>();
  readonly #failed: Hold;
  #sealing: Promise<void> | undefined;
  /** Segments that were still to be made when filling began. */
  #missing = 0;

  constructor(options: FillingOptions) {
    this.#options = options;
    this.#failed = new Hold(options.clock, HOLD_MS);
  }

  /** True while somebody wants everything. */
  get isWanted(): boolean {
    return this.#wishes.size > 0;
  }

  /** True while the entry is being completed. */
  get isSealing(): boolean {
    return this.#sealing !== undefined;
  }

  /** Waits until the entry is complete; as `Wishes.wait`. */
  wait(signal: AbortSignal, onWithdrawn: () => void): Promise<void> {
    if (!this.isWanted) this.#missing = this.#options.segmentCount - this.#options.entry.storedCount;
    const filled = this.#wishes.wait(signal, onWithdrawn);
    this.#seal();
    return filled;
  }

  /** A segment was made. */
  made(): void {
    this.#missing -= 1;
  }

  /** The first segment that is missing, and why it makes no sense to encode it. `undefined` if nothing is. */
  next(): { readonly index: number; readonly refusal: AppError | undefined } | undefined {
    const { entry, segmentCount } = this.#options;
    let index = 0;
    while (index < segmentCount && entry.has(index)) index += 1;
    if (index === segmentCount) return undefined;
    const isTooMuch = this.#missing <= 0;
    const message = 'the cache cannot hold all of it at a time; raise storage.sizeGb';
    return { index, refusal: isTooMuch ? new AppError('UNAVAILABLE', message) : undefined };
  }

  /** Refuses all who want everything. */
  refuse(error: AppError): void {
    this.#wishes.refuse(error);
  }

  /** Completes the entry if everything is there, unless that has just failed. */
  tryToSeal(): void {
    if (this.#failed.error === undefined) this.#seal();
  }

  /** Waits for what is under way. Never rejects. */
  async settled(): Promise<void> {
    await this.#sealing;
  }

  #seal(): void {
    const { entry, segmentCount, gate } = this.#options;
    if (this.#sealing !== undefined || entry.isComplete || entry.storedCount < segmentCount) return;
    this.#sealing = entry.seal(gate).then((isSealed) => {
      this.#sealing = undefined;
      if (isSealed) {
        this.#wishes.grant();
        return;
      }
      const error = new AppError('UNAVAILABLE', 'everything is encoded, but the cache entry could not be completed');
      this.#failed.begin(error);
      this.#wishes.refuse(error);
    });
  }
}
