import { copyFile, link, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { isPlainFileName } from '../cache/safe-name.ts';
import type { TrackInit, TrackKind } from '../media/fragment.ts';
import { reasonOf } from '../util/errors.ts';
import type { Logger } from '../util/logger.ts';
import {
  type ArchiveEnd,
  type ArchiveHead,
  type ArchiveLine,
  type ArchiveTrackLine,
  formatLine,
  INDEX_FILE,
  readIndex,
} from './archive-index.ts';
import type { VodRow } from './vod-row.ts';

/** A segment to be recorded, with what is known of its track now. */
export interface RecordedSegment {
  readonly rendition: string;
  readonly track: TrackKind;
  readonly row: VodRow;
  readonly init: TrackInit;
  readonly frameRate: number | undefined;
  /** Resolves with the path of the whole file, or with `undefined` if there will be none. */
  readonly file: Promise<string | undefined>;
}

interface RecordingOptions {
  readonly id: string;
  /** Must not exist. */
  readonly folder: string;
  readonly head: ArchiveHead;
  readonly logger: Logger;
  /** The index is written anew when more of it than this tells of what was deleted. */
  readonly compactBytes: number;
  /** Called with what each file adds; gives how much of its oldest media the recording has to delete. */
  readonly onBytes: (bytes: number) => number;
}

/** Rows that may wait for their files; beyond this the disk is hopelessly behind. */
const MAX_WAITING = 10_000;

/**
 * A broadcast on its way to disk: links the files that time-shift has written anyway, and appends each row to the index, so
 * that after a crash the recording is what the index says. A failure ends the recording, never the broadcast.
 */
export class Recording {
  readonly id: string;
  readonly #options: RecordingOptions;
  readonly #tracks = new Map<string, { id: number; line: string }>();
  readonly #inits = new Set<string>();
  readonly #renditions = new Set<string>();
  #index: FileHandle | undefined;
  #tail: Promise<void>;
  #waiting = 0;
  #bytes = 0;
  #startMs: number | undefined;
  #endMs = 0;
  #failed = false;
  #finished = false;
  /** Where the oldest rows that are left begin in the index. */
  #trimPosition = 0;
  #finishing: Promise<ArchiveEnd | undefined> | undefined;

  constructor(options: RecordingOptions) {
    this.id = options.id;
    this.#options = options;
    this.#tail = this.#attempt(async () => {
      await mkdir(options.folder);
      this.#index = await open(path.join(options.folder, INDEX_FILE), 'ax');
      await this.#append(options.head);
    });
  }

  /** Bytes of media so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Records the next segment of a track; the rows of a track come in order. */
  add(segment: RecordedSegment): void {
    if (this.#finished || this.#failed) return;
    if (this.#waiting >= MAX_WAITING) {
      this.#fail('the disk is too slow');
      return;
    }
    this.#waiting += 1;
    void this.#then(async () => {
      this.#waiting -= 1;
      await this.#record(segment);
    });
  }

  /** Ends the recording once everything is in it; gives what is in it, `undefined` if that is nothing. Idempotent. */
  finish(): Promise<ArchiveEnd | undefined> {
    this.#finishing ??= this.#finish();
    return this.#finishing;
  }

  async #finish(): Promise<ArchiveEnd | undefined> {
    this.#finished = true;
    let end: ArchiveEnd | undefined;
    await this.#then(async () => {
      const summary = this.#summary();
      if (summary !== undefined) await this.#append(summary);
      end = summary;
    });
    await this.#index?.close().catch(() => undefined);
    this.#index = undefined;
    // A recording that failed half-way is still worth keeping; the next start completes its index.
    return end ?? this.#summary();
  }

  #summary(): ArchiveEnd | undefined {
    if (this.#startMs === undefined || this.#bytes === 0) return undefined;
    const durationMs = Math.round(this.#endMs - this.#startMs);
    return { type: 'end', startMs: this.#startMs, durationMs, bytes: this.#bytes, renditions: [...this.#renditions] };
  }

  #then(work: () => Promise<void>): Promise<void> {
    this.#tail = this.#tail.then(() => this.#attempt(work));
    return this.#tail;
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    if (this.#failed) return;
    try {
      await work();
    } catch (error) {
      this.#fail(reasonOf(error));
    }
  }

  #fail(reason: string): void {
    if (this.#failed) return;
    this.#failed = true;
    const message = 'the recording stops here: its folder cannot be written to; the broadcast goes on';
    this.#options.logger.warn({ archive: this.id, reason }, message);
  }

  async #record({ rendition, track, row, init, frameRate, file }: RecordedSegment): Promise<void> {
    const folder = path.join(this.#options.folder, rendition);
    if (![rendition, row.name, row.initName].every(isPlainFileName)) throw new Error(`bad name ${row.name}`);
    const stored = row.gap ? undefined : await file;
    const id = await this.#describe({ rendition, track, init, frameRate, folder });
    await this.#keepInit(path.join(folder, row.initName), init);
    const hasMedia = stored !== undefined && (await linkOrCopy(stored, path.join(folder, row.name)));
    await this.#append({ type: 'row', id, row: hasMedia ? row : { ...row, gap: true, bytes: 0, keyframeBytes: 0 } });
    this.#startMs = Math.min(this.#startMs ?? Infinity, row.programDateTimeMs);
    this.#endMs = Math.max(this.#endMs, row.programDateTimeMs + row.durationMs);
    if (!hasMedia) return;
    this.#bytes += row.bytes;
    const excess = this.#options.onBytes(row.bytes);
    if (excess > 0) await this.#trim(excess);
  }

  /** Number of the track in the index; states its facts when they are new. */
  async #describe({
    rendition,
    track,
    init: { codec, width, height, channels },
    frameRate,
    folder,
  }: Pick<RecordedSegment, 'rendition' | 'track' | 'init' | 'frameRate'> & { folder: string }): Promise<number> {
    const key = `${rendition} ${track}`;
    const known = this.#tracks.get(key);
    const id = known?.id ?? this.#tracks.size;
    const facts: ArchiveTrackLine = { type: 'track', id, rendition, track, codec, width, height, frameRate, channels };
    const line = JSON.stringify(facts);
    if (known?.line === line) return id;
    await mkdir(folder, { recursive: true });
    await this.#append(facts);
    this.#tracks.set(key, { id, line });
    this.#renditions.add(rendition);
    return id;
  }

  async #keepInit(file: string, { bytes }: TrackInit): Promise<void> {
    if (this.#inits.has(file)) return;
    await writeFile(file, bytes);
    this.#inits.add(file);
  }

  async #append(line: ArchiveLine): Promise<void> {
    await this.#index?.appendFile(formatLine(line));
  }

  /** Walks the index from where the last trim ended. */
  async #trim(wanted: number): Promise<void> {
    const folders = new Map([...this.#tracks].map(([key, { id }]) => [id, key.split(' ')[0] ?? '']));
    let freed = 0;
    let rows = 0;
    for await (const { line, end } of readIndex(path.join(this.#options.folder, INDEX_FILE), this.#trimPosition)) {
      this.#trimPosition = end;
      if (line.type !== 'row') continue;
      rows += 1;
      freed += line.row.bytes;
      this.#startMs = line.row.programDateTimeMs + line.row.durationMs;
      await rm(path.join(this.#options.folder, folders.get(line.id) ?? '', line.row.name), { force: true });
      if (freed >= wanted) break;
    }
    if (rows === 0) return;
    this.#bytes -= freed;
    this.#options.onBytes(-freed);
    await this.#append({ type: 'trim', rows });
    if (this.#trimPosition > this.#options.compactBytes) await this.#compact();
  }

  /** Writes the index anew without what was trimmed: a broadcast that never ends must not have one that always grows. */
  async #compact(): Promise<void> {
    const file = path.join(this.#options.folder, INDEX_FILE);
    const temporary = `${file}.tmp`;
    const copy = await open(temporary, 'w');
    try {
      const facts = [...this.#tracks.values()].map(({ line }) => `${line}\n`);
      await copy.appendFile(formatLine(this.#options.head) + facts.join(''));
      for await (const { line } of readIndex(file, this.#trimPosition)) {
        if (line.type === 'row' || line.type === 'track') await copy.appendFile(formatLine(line));
      }
    } finally {
      await copy.close();
    }
    await rename(temporary, file);
    await this.#index?.close();
    this.#index = await open(file, 'a');
    this.#trimPosition = 0;
  }
}

/** The same file under a second name; false if it has gone meanwhile. */
async function linkOrCopy(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') throw error;
      return copyFile(from, to);
    });
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
