import { mkdir, statfs } from 'node:fs/promises';
import { AppError, reasonOf } from '../util/errors.ts';

/** Something that takes room and can give some of it up. */
export interface Reclaimer {
  /**
   * Gives up so many bytes, or what it can. They have been given back to the budget when this returns; resolves once the
   * disk has them. Never rejects.
   * @param cause what is used up: the budget, or the disk itself
   */
  reclaim(bytes: number, cause: 'budget' | 'disk'): Promise<void>;
}

const GB = 1024 ** 3;
const MIN_BYTES = GB;

/** At least so much is given up when the disk turns out to be full, so that it does not happen with each file. */
const RELIEF_BYTES = 16 * 1024 * 1024;

/** A limit in bytes for all that share a disk. Files count from when they are on their way. */
export class DiskBudget {
  readonly maxBytes: number;
  readonly #reclaimers = new Set<Reclaimer>();
  #usedBytes = 0;

  /** See `open` for a limit that people gave. */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /**
   * Finds out how much a limit is: at least 1 GB.
   * @param size GB (1024^3 bytes), or a share of the disk, e.g. `10%`
   * @param folder on the disk that is meant; made if it is missing
   * @throws AppError `BAD_CONFIG` if that is neither, or the folder cannot be made
   */
  static async open({ folder, size }: { folder: string; size: number | string }): Promise<DiskBudget> {
    const percent = typeof size === 'string' ? Number(/^(\d+(?:\.\d+)?)%$/.exec(size)?.[1] ?? NaN) : undefined;
    const isGood = percent === undefined ? (size as number) > 0 : percent > 0 && percent <= 100;
    if (!isGood) {
      throw new AppError('BAD_CONFIG', `storage size is ${JSON.stringify(size)}; give GB, or a share such as "10%"`);
    }
    const bytes = percent === undefined ? (size as number) * GB : ((await diskBytes(folder)) * percent) / 100;
    return new DiskBudget(Math.max(MIN_BYTES, Math.floor(bytes)));
  }

  /** Bytes that are taken. More than `maxBytes` for as long as nothing can be given up. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Counts bytes, whether there is room for them or not. */
  take(bytes: number): void {
    this.#usedBytes += bytes;
  }

  /** Counts bytes no longer. */
  giveBack(bytes: number): void {
    this.#usedBytes -= bytes;
  }

  /** True if so many more bytes fit, after others gave up what they could. */
  makeRoom(bytes = 0): boolean {
    for (const reclaimer of this.#reclaimers) {
      const excess = this.#usedBytes + bytes - this.maxBytes;
      if (excess <= 0) return true;
      void reclaimer.reclaim(excess, 'budget');
    }
    return this.#usedBytes + bytes <= this.maxBytes;
  }

  /** To be called when the disk is full although the budget is not; true if something could be given up. */
  async relieve(bytes: number): Promise<boolean> {
    const before = this.#usedBytes;
    const wanted = Math.max(bytes, RELIEF_BYTES);
    await Promise.all([...this.#reclaimers].map((reclaimer) => reclaimer.reclaim(wanted, 'disk')));
    return this.#usedBytes < before;
  }

  /** Adds one that is asked to give up bytes; the returned function removes it. */
  addReclaimer(reclaimer: Reclaimer): () => void {
    this.#reclaimers.add(reclaimer);
    return () => void this.#reclaimers.delete(reclaimer);
  }
}

async function diskBytes(folder: string): Promise<number> {
  try {
    await mkdir(folder, { recursive: true });
    const { bsize, blocks } = await statfs(folder);
    return bsize * blocks;
  } catch (error) {
    throw new AppError('BAD_CONFIG', `folder ${folder} cannot be used: ${reasonOf(error)}`, { cause: error });
  }
}

/** True for an error of the file system that says that the disk is full. */
export function isDiskFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}
