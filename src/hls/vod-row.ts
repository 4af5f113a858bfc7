import { AppError } from '../util/errors.ts';
import type { Segment } from './segment.ts';

/** A finished row of one track, as playlists other than the live one list it. */
export interface VodRow {
  readonly msn: number;
  /** File name of the media, beside the playlist. */
  readonly name: string;
  /** File name of the init that it needs. */
  readonly initName: string;
  readonly durationMs: number;
  /** True if there is no media. */
  readonly gap: boolean;
  readonly discontinuity: boolean;
  /** Discontinuities of the broadcast up to this row, its own included. */
  readonly discontinuitySequence: number;
  readonly programDateTimeMs: number;
  /** True if the date does not follow from the row before. */
  readonly pdtAnchor: boolean;
  readonly bytes: number;
  /** Length of the keyframe at its beginning, with its `moof`; 0 if there is none. */
  readonly keyframeBytes: number;
}

/** A span of wall clock, ms since the Unix epoch; `endMs` is not in it. */
export interface DateSpan {
  readonly startMs: number;
  readonly endMs: number;
}

/** A live segment as a row. */
export function rowOf(segment: Segment): VodRow {
  const { slot, name, initName, durationMs, programDateTimeMs, gap, bytes, keyframeBytes } = segment;
  const { msn, discontinuity, discontinuitySequence, pdtAnchor } = slot;
  return {
    ...{ msn, name, initName, durationMs, programDateTimeMs, gap, bytes, keyframeBytes },
    ...{ discontinuity, discontinuitySequence, pdtAnchor },
  };
}

/** A longer clip would be a recording. */
const MAX_CLIP_MS = 6 * 3_600_000;

/**
 * The rows that a broadcast has in at least one of its tracks, in order: its common segment table. Where several have one,
 * that of the first track counts.
 */
export function commonRows(tracks: Iterable<readonly VodRow[]>): VodRow[] {
  const byMsn = new Map<number, VodRow>();
  for (const rows of tracks) for (const row of rows) if (!byMsn.has(row.msn)) byMsn.set(row.msn, row);
  return [...byMsn.values()].sort((a, b) => a.msn - b.msn);
}

/**
 * A track's rows for each of the table's, with gaps where it has none, so that all tracks have the same segments. The first
 * begins a playlist of its own.
 */
export function alignedRows(table: readonly VodRow[], ownRows: readonly VodRow[]): VodRow[] {
  const byMsn = new Map(ownRows.map((row) => [row.msn, row]));
  let initName = ownRows.find(({ msn }) => msn >= (table[0]?.msn ?? 0))?.initName ?? ownRows.at(-1)?.initName ?? '';
  return table.map((slot, index) => {
    const own = byMsn.get(slot.msn);
    initName = own?.initName ?? initName;
    const row = own ?? { ...slot, name: `gap-${slot.msn}.m4s`, initName, gap: true, bytes: 0, keyframeBytes: 0 };
    return index === 0 ? { ...row, discontinuity: false } : row;
  });
}

/**
 * The part of a table that overlaps a span of wall clock.
 * @throws AppError `BAD_REQUEST` if the span is empty, upside down or too long; `NOT_FOUND` if nothing of it is left
 */
export function rowsWithin(table: readonly VodRow[], { startMs, endMs }: DateSpan): VodRow[] {
  if (!(endMs > startMs)) bad('BAD_REQUEST', `the end of a clip must be later than its start, ${describe(startMs)}`);
  if (endMs - startMs > MAX_CLIP_MS) {
    bad('BAD_REQUEST', `a clip may be ${MAX_CLIP_MS / 3_600_000} hours long at most; ask for less at a time`);
  }
  const rows = table.filter((row) => row.programDateTimeMs < endMs && row.programDateTimeMs + row.durationMs > startMs);
  if (rows.every(({ gap }) => gap)) {
    const [first, last] = [table[0], table.at(-1)];
    const available =
      first === undefined || last === undefined
        ? 'there is no media at all'
        : `there is media from ${describe(first.programDateTimeMs)} to ${describe(last.programDateTimeMs + last.durationMs)}`;
    bad('NOT_FOUND', `nothing is left between ${describe(startMs)} and ${describe(endMs)}; ${available}`);
  }
  return rows;
}

function bad(code: 'BAD_REQUEST' | 'NOT_FOUND', message: string): never {
  throw new AppError(code, message);
}

function describe(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? 'an unknown time' : date.toISOString();
}
