import { crc32 } from 'node:zlib';

/** A segment that counts. */
export interface SegmentRecord {
  readonly index: number;
  readonly bytes: number;
  /** Ticks of 90 kHz. */
  readonly durationTicks: number;
  /** Run of an encoder that made it. */
  readonly run: number;
  /** CRC-32 of its bytes. */
  readonly crc32: number;
}

/** What an index says. */
export interface EntryIndex {
  /** The last record of each segment, in the order of the index. */
  readonly records: readonly SegmentRecord[];
  /** Segments that were the last of a run that has no end. */
  readonly unsure: ReadonlySet<number>;
  /** True if every line of it could be understood. */
  readonly isWhole: boolean;
  readonly lines: number;
}

interface EndLine {
  /** The run that has ended. */
  readonly end: number;
}

type IndexLine = SegmentRecord | EndLine;

/** A line that says that a segment is there. */
export function recordLine({ index, bytes, durationTicks, run, crc32 }: SegmentRecord): string {
  return formatLine({ index, bytes, durationTicks, run, crc32 });
}

/** A line that says that nothing more comes of a run, and that its last segment is whole. */
export function endLine(run: number): string {
  return formatLine({ end: run });
}

/** Reads an index until its first line that is torn or has been altered. */
export function readIndex(text: string): EntryIndex {
  const records = new Map<number, SegmentRecord>();
  const lastOfRun = new Map<number, number>();
  const lines = text.split('\n');
  // What follows the last line break is nothing, or torn.
  const torn = lines.pop();
  let read = 0;
  for (const text of lines) {
    const line = parseLine(text);
    if (line === undefined) break;
    read += 1;
    if ('end' in line) lastOfRun.delete(line.end);
    else {
      records.delete(line.index);
      records.set(line.index, line);
      lastOfRun.set(line.run, line.index);
    }
  }
  return {
    records: [...records.values()],
    unsure: new Set(lastOfRun.values()),
    isWhole: torn === '' && read === lines.length,
    lines: read,
  };
}

function formatLine(line: IndexLine): string {
  return `${JSON.stringify({ ...line, check: crc32(JSON.stringify(line)) })}\n`;
}

function parseLine(text: string): IndexLine | undefined {
  try {
    const { check, ...line } = JSON.parse(text) as Record<string, unknown>;
    if (check !== crc32(JSON.stringify(line))) return undefined;
    return Object.values(line).every((value) => Number.isSafeInteger(value) && (value as number) >= 0)
      ? asLine(line as Record<string, number>)
      : undefined;
  } catch {
    return undefined;
  }
}

function asLine(line: Record<string, number>): IndexLine | undefined {
  const { end, index, bytes, durationTicks, run, crc32 } = line;
  if (end !== undefined) return { end };
  if (index === undefined || bytes === undefined || durationTicks === undefined) return undefined;
  return run === undefined || crc32 === undefined ? undefined : { index, bytes, durationTicks, run, crc32 };
}
