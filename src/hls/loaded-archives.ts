import { readArchive } from './archived-broadcast.ts';
import { VodPlayback } from './vod-playback.ts';

/** Rows of all recordings in memory, some 300 bytes each; one recording is always kept. */
const MAX_ROWS = 400_000;

interface Loaded {
  readonly playback: Promise<VodPlayback>;
  /** 0 until it is loaded. */
  rows: number;
}

/** The recordings that were played last, in memory. */
export class LoadedArchives {
  readonly #maxRows: number;
  /** The one that was played last is the last. */
  readonly #loaded = new Map<string, Loaded>();

  constructor(maxRows: number = MAX_ROWS) {
    this.#maxRows = maxRows;
  }

  /** Recordings in memory. */
  get size(): number {
    return this.#loaded.size;
  }

  /**
   * The recording of an id, read from its folder if it is not in memory. All who ask meanwhile share one reading.
   * @throws AppError as `readArchive` does
   */
  async get(id: string, folder: string): Promise<VodPlayback> {
    const loaded = this.#loaded.get(id) ?? {
      playback: readArchive(folder).then((archive) => new VodPlayback(archive)),
      rows: 0,
    };
    this.#loaded.delete(id);
    this.#loaded.set(id, loaded);
    try {
      const playback = await loaded.playback;
      loaded.rows = playback.rows;
      this.#forgetOldest();
      return playback;
    } catch (error) {
      if (this.#loaded.get(id) === loaded) this.#loaded.delete(id);
      throw error;
    }
  }

  /** Forgets a recording. */
  delete(id: string): void {
    this.#loaded.delete(id);
  }

  #forgetOldest(): void {
    let rows = [...this.#loaded.values()].reduce((sum, loaded) => sum + loaded.rows, 0);
    for (const [id, loaded] of this.#loaded) {
      if (rows <= this.#maxRows || this.#loaded.size === 1) return;
      rows -= loaded.rows;
      this.#loaded.delete(id);
    }
  }
}
