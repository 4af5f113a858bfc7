import { appendFile } from 'node:fs/promises';
import { writeFileAtomically } from '../util/atomic-file.ts';
import { endLine, recordLine, type SegmentRecord } from './entry-index.ts';

/** Lines that are no longer of use may be as many as those that are, and so many more, before they are cleared away. */
const SPARE_LINES = 1_000;

interface Content {
  /** By number, in the order in which they were written. */
  readonly records: ReadonlyMap<number, SegmentRecord>;
  readonly endedRuns: Iterable<number>;
}

/** The index of an entry on disk. Calls must not overlap. */
export class IndexFile {
  readonly #file: string;
  readonly #content: () => Content;
  #lines: number;
  #isTorn = false;

  /** @param content what the whole index has to say at the moment */
  constructor(file: string, { lines, content }: { lines: number; content: () => Content }) {
    this.#file = file;
    this.#lines = lines;
    this.#content = content;
  }

  /** Adds a record. It is not there if this rejects. */
  append(record: SegmentRecord): Promise<void> {
    return this.#add(recordLine(record), record);
  }

  /** Notes the end of runs. */
  end(runs: readonly number[]): Promise<void> {
    return runs.length === 0 ? Promise.resolve() : this.#add(runs.map(endLine).join(''));
  }

  async #add(text: string, record?: SegmentRecord): Promise<void> {
    const { records, endedRuns } = this.#content();
    if (this.#isTorn || this.#lines > 2 * records.size + SPARE_LINES) {
      const all = record === undefined ? records : new Map(records).set(record.index, record);
      await writeFileAtomically(this.#file, formatIndex({ records: all, endedRuns }));
      this.#isTorn = false;
      this.#lines = all.size;
      return;
    }
    // Until it is known to be whole, the next line must not follow it.
    this.#isTorn = true;
    await appendFile(this.#file, text);
    this.#isTorn = false;
    this.#lines += 1;
  }
}

/** A whole index. */
export function formatIndex({ records, endedRuns }: Content): string {
  return [...[...records.values()].map(recordLine), ...[...endedRuns].map(endLine)].join('');
}
