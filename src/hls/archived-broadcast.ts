import { appendFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../util/errors.ts';
import {
  type ArchiveEnd,
  type ArchiveHead,
  type ArchiveLine,
  type ArchiveTrackLine,
  formatLine,
  INDEX_FILE,
  readIndex,
} from './archive-index.ts';
import { commonRows, type VodRow } from './vod-row.ts';

/** One track of a recording. */
export interface ArchivedTrack {
  readonly facts: ArchiveTrackLine;
  /** In order, gaps included. */
  readonly rows: readonly VodRow[];
}

/** A recording as its index tells it. */
export interface ArchivedBroadcast {
  readonly head: ArchiveHead;
  /** Those with media. */
  readonly tracks: readonly ArchivedTrack[];
  /** The segments that the tracks have in common; see `commonRows`. */
  readonly table: readonly VodRow[];
  /** Given once the recording was finished. */
  readonly end: ArchiveEnd | undefined;
}

/**
 * Reads a recording from its folder.
 * @throws AppError `NOT_FOUND` if there is no index, or nothing of use in it
 */
export async function readArchive(folder: string): Promise<ArchivedBroadcast> {
  const lines = new IndexLines();
  try {
    for await (const { line } of readIndex(path.join(folder, INDEX_FILE))) lines.take(line);
  } catch (error) {
    throw new AppError('NOT_FOUND', 'the recording cannot be read any more', { cause: error });
  }
  return lines.broadcast();
}

/**
 * Completes the index of a recording that was cut off by the end of its process: rows whose files are not there, whole,
 * become gaps. Gives what is left, `undefined` if that is nothing.
 * @throws Error of the file system if the index cannot be written
 */
export async function completeArchive(folder: string): Promise<ArchiveEnd | undefined> {
  const { tracks } = await readArchive(folder);
  const lost: ArchiveLine[] = [];
  for (const { facts, rows } of tracks) {
    for (const row of rows.filter(({ gap }) => !gap)) {
      const { size } = await stat(path.join(folder, facts.rendition, row.name)).catch(() => ({ size: -1 }));
      if (size !== row.bytes) lost.push({ type: 'lost', id: facts.id, msn: row.msn });
    }
  }
  const index = path.join(folder, INDEX_FILE);
  // The crash may have torn the last line.
  await appendFile(index, `\n${lost.map(formatLine).join('')}`);
  const end = summarize(await readArchive(folder));
  if (end !== undefined) await appendFile(index, formatLine(end));
  return end;
}

function summarize({ tracks, table }: ArchivedBroadcast): ArchiveEnd | undefined {
  const [first, last] = [table[0], table.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const bytes = tracks.reduce((sum, { rows }) => sum + rows.reduce((own, row) => own + row.bytes, 0), 0);
  const startMs = first.programDateTimeMs;
  const durationMs = Math.round(last.programDateTimeMs + last.durationMs - startMs);
  return {
    type: 'end',
    startMs,
    durationMs,
    bytes,
    renditions: [...new Set(tracks.map(({ facts }) => facts.rendition))],
  };
}

/** What the lines of an index come to. */
class IndexLines {
  readonly #facts = new Map<number, ArchiveTrackLine>();
  readonly #rows: { readonly id: number; readonly row: VodRow }[] = [];
  readonly #lost = new Set<string>();
  #head: ArchiveHead | undefined;
  #end: ArchiveEnd | undefined;
  #trimmed = 0;

  take(line: ArchiveLine): void {
    if (line.type === 'head') this.#head ??= line;
    else if (line.type === 'track') this.#facts.set(line.id, line);
    else if (line.type === 'row') this.#rows.push(line);
    else if (line.type === 'lost') this.#lost.add(`${line.id} ${line.msn}`);
    else if (line.type === 'trim') this.#trimmed += line.rows;
    else this.#end = line;
  }

  broadcast(): ArchivedBroadcast {
    if (this.#head === undefined) throw new AppError('NOT_FOUND', 'the recording has no index');
    const byTrack = new Map<number, VodRow[]>();
    for (const { id, row } of this.#rows.slice(this.#trimmed)) {
      const own = byTrack.get(id) ?? [];
      if (own.length === 0) byTrack.set(id, own);
      if (row.msn > (own.at(-1)?.msn ?? -1)) own.push(this.#isLost(id, row) ? asGap(row) : row);
    }
    const tracks = [...this.#facts.values()]
      .map((facts) => ({ facts, rows: byTrack.get(facts.id) ?? [] }))
      .filter(({ rows }) => rows.some(({ gap }) => !gap));
    const table = commonRows(videoFirst(tracks).map(({ rows }) => rows));
    return { head: this.#head, tracks, table, end: this.#end };
  }

  #isLost(id: number, { msn }: VodRow): boolean {
    return this.#lost.has(`${id} ${msn}`);
  }
}

function asGap(row: VodRow): VodRow {
  return { ...row, gap: true, bytes: 0, keyframeBytes: 0 };
}

/** Video decides over the table: audio is cut at whole frames. */
function videoFirst(tracks: readonly ArchivedTrack[]): ArchivedTrack[] {
  return [...tracks].sort((a, b) => Number(a.facts.track === 'audio') - Number(b.facts.track === 'audio'));
}
