/** A file in the cache, whole. Check its length when it is read: somebody may have been at the disk. */
export interface CachedFile {
  /** Absolute. */
  readonly path: string;
  readonly size: number;
}

/**
 * The right to use an entry: as long as it is held, the entry is not evicted. Single segments that nobody used for a
 * minute may still go when leased entries alone exceed the budget, so ask for each when it is needed.
 */
export interface CacheLease {
  /** The entry's name. */
  readonly key: string;
  readonly segmentCount: number;
  /** Bytes of all that is there. */
  readonly bytes: number;
  /** True if every segment is there and the entry has been sealed. */
  readonly isComplete: boolean;
  /** True once the entry has been invalidated: nothing is found in it, and it has to be acquired or created anew. */
  readonly isGone: boolean;
  /** @throws AppError `GONE` once the entry has been invalidated */
  init(): CachedFile;
  /** A segment that is about to be read; `undefined` if it is not there. Counts as use of it, and of its bytes. */
  find(index: number): CachedFile | undefined;
  /** True if a segment is there; no use of it. */
  has(index: number): boolean;
  /** Numbers of the segments that are there, ascending. */
  present(): readonly number[];
  /** Ticks of 90 kHz as they were given when it was written; `undefined` if it is not there. */
  durationTicks(index: number): number | undefined;
  /** The right to add to the entry; `undefined` while somebody else has it. Ends with the lease at the latest. */
  writer(): EntryWriter | undefined;
  /** Gives the lease up, and its writer. Resolves when what was being written has been. Idempotent, never rejects. */
  release(): Promise<void>;
}

/** One segment for an entry. */
export interface SegmentToWrite {
  /** What `beginRun` gave. */
  readonly run: number;
  /** From 0 on. */
  readonly index: number;
  readonly bytes: Buffer;
  /** Ticks of 90 kHz. */
  readonly durationTicks: number;
}

/** The only one that adds to an entry. */
export interface EntryWriter {
  /** Names a run of an encoder. After a crash, the last segment of each run that has not ended is not trusted. */
  beginRun(): number;
  /** Notes that nothing more comes of a run, so that its last segment is trusted. Never rejects. */
  endRun(run: number): Promise<void>;
  /**
   * Adds a segment; resolves once it can be found. One that is there already stays as it is.
   * @throws AppError `UNAVAILABLE` if there is no room for it or the disk does not take it, `GONE` if the entry has been
   *   invalidated or the writer released, `INTERNAL` if there is no such segment
   */
  write(segment: SegmentToWrite): Promise<void>;
  /**
   * Marks the entry as complete, if every segment is there and `gate` resolves. Never rejects.
   * @param gate what else has to be done first; the entry stays partial if it rejects
   * @returns whether the entry is complete
   */
  seal(options?: { gate?: () => Promise<unknown> }): Promise<boolean>;
  /** Ends all runs and lets somebody else write. Idempotent, never rejects. */
  release(): Promise<void>;
}
