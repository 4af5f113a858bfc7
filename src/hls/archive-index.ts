import { createReadStream } from 'node:fs';
import type { TrackKind } from '../media/fragment.ts';
import type { VodRow } from './vod-row.ts';

/** First line of an index: what the recording is of. */
export interface ArchiveHead {
  readonly type: 'head';
  /** Version of the format. */
  readonly format: 1;
  readonly broadcast: string;
  /** Wall clock at which the recording began, ms. */
  readonly startedAtMs: number;
  readonly targetDurationSeconds: number;
  /** Rendition whose audio all rungs without an own one use. */
  readonly sharedAudioRendition: string;
}

/** Facts about a track; a later line about the same one replaces an earlier one. */
export interface ArchiveTrackLine {
  readonly type: 'track';
  /** Number of the track, as its rows have it. */
  readonly id: number;
  readonly rendition: string;
  readonly track: TrackKind;
  readonly codec: string;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly frameRate?: number | undefined;
  readonly channels?: number | undefined;
}

/** A segment of a track. */
export interface ArchiveRowLine {
  readonly type: 'row';
  readonly id: number;
  readonly row: VodRow;
}

/** The first `rows` rows of the index have been deleted to make room. */
interface ArchiveTrimLine {
  readonly type: 'trim';
  readonly rows: number;
}

/** The file of a row has been found missing. */
interface ArchiveLostLine {
  readonly type: 'lost';
  readonly id: number;
  readonly msn: number;
}

/** Last line of a finished recording. */
export interface ArchiveEnd {
  readonly type: 'end';
  /** Wall clock of the first segment that is left, ms. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly bytes: number;
  readonly renditions: readonly string[];
}

/** Any line of an index. */
export type ArchiveLine =
  ArchiveHead | ArchiveTrackLine | ArchiveRowLine | ArchiveTrimLine | ArchiveLostLine | ArchiveEnd;

/** Name of the index in a recording's folder: a JSON object a line, only ever appended to. */
export const INDEX_FILE = 'index.jsonl';

/** A longer line cannot be one of ours. */
const MAX_LINE = 16 * 1024;

/** One line of an index, with its line break. */
export function formatLine(line: ArchiveLine): string {
  return `${JSON.stringify(line)}\n`;
}

/**
 * Reads an index from the byte `start` on. Lines that are torn or no index lines are left out: a crash may have cut the
 * last one. Gives each line with the position of the byte after it.
 * @throws Error of the file system if the file cannot be read
 */
export async function* readIndex(
  file: string,
  start = 0,
): AsyncGenerator<{ readonly line: ArchiveLine; readonly end: number }> {
  let rest = Buffer.alloc(0);
  let position = start;
  for await (const chunk of createReadStream(file, { start }) as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, chunk]);
    let from = 0;
    for (let at = rest.indexOf(0x0a); at >= 0; at = rest.indexOf(0x0a, from)) {
      const line = parseLine(rest.subarray(from, at));
      position += at + 1 - from;
      from = at + 1;
      if (line !== undefined) yield { line, end: position };
    }
    rest = rest.subarray(from);
    if (rest.length <= MAX_LINE) continue;
    position += rest.length;
    rest = Buffer.alloc(0);
  }
}

function parseLine(bytes: Buffer): ArchiveLine | undefined {
  if (bytes.length > MAX_LINE) return undefined;
  try {
    const line = JSON.parse(bytes.toString()) as Partial<ArchiveLine> | null;
    return line !== null && typeof line === 'object' && isLine(line) ? line : undefined;
  } catch {
    return undefined;
  }
}

/** Checks what decides over paths and sizes; the rest is only ever printed. */
function isLine(line: Partial<ArchiveLine>): line is ArchiveLine {
  switch (line.type) {
    case 'head':
      return (
        line.format === 1 &&
        typeof line.broadcast === 'string' &&
        isNumber(line.startedAtMs) &&
        isNumber(line.targetDurationSeconds)
      );
    case 'track':
      return isNumber(line.id) && typeof line.rendition === 'string' && /^(video|audio)$/.test(String(line.track));
    case 'row':
      return isNumber(line.id) && typeof line.row?.name === 'string' && [line.row.msn, line.row.bytes].every(isNumber);
    case 'trim':
      return isNumber(line.rows);
    case 'lost':
      return isNumber(line.id) && isNumber(line.msn);
    case 'end':
      return isNumber(line.bytes) && isNumber(line.durationMs) && Array.isArray(line.renditions);
    default:
      return false;
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
