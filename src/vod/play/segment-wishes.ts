import type { MediaFile } from '../../hls/media-file.ts';
import { AppError } from '../../util/errors.ts';
import { Wishes } from './wishes.ts';

const MAX_WISHES = 1_000;

/** Requests that wait for segments of a rendition; a bounded number. */
export class SegmentWishes {
  readonly #byIndex = new Map<number, Wishes<MediaFile>>();

  /** Requests that wait. */
  get size(): number {
    return [...this.#byIndex.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Segments that are waited for, ascending. */
  indexes(): number[] {
    return [...this.#byIndex.keys()].sort((a, b) => a - b);
  }

  has(index: number): boolean {
    return this.#byIndex.has(index);
  }

  /**
   * Waits for a segment; errors as with `Wishes.wait`.
   * @throws AppError `UNAVAILABLE` if too many wait already
   */
  wait(index: number, signal: AbortSignal, onWithdrawn: () => void): Promise<MediaFile> {
    if (this.size >= MAX_WISHES) {
      throw new AppError('UNAVAILABLE', `${MAX_WISHES} requests wait for this quality already; try again later`);
    }
    const wishes = this.#byIndex.get(index) ?? new Wishes<MediaFile>();
    this.#byIndex.set(index, wishes);
    return wishes.wait(signal, () => {
      if (wishes.size === 0) this.#byIndex.delete(index);
      onWithdrawn();
    });
  }

  grant(index: number, file: MediaFile): void {
    this.#take(index)?.grant(file);
  }

  refuse(index: number, error: AppError): void {
    this.#take(index)?.refuse(error);
  }

  refuseAll(error: AppError): void {
    for (const index of this.indexes()) this.refuse(index, error);
  }

  #take(index: number): Wishes<MediaFile> | undefined {
    const wishes = this.#byIndex.get(index);
    this.#byIndex.delete(index);
    return wishes;
  }
}
