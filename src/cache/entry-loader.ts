import { readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomically } from '../util/atomic-file.ts';
import type { CacheContext } from './cache-context.ts';
import { CacheEntry } from './cache-entry.ts';
import { type EntryFacts, parseFacts } from './entry-facts.ts';
import { type EntryIndex, readIndex, type SegmentRecord } from './entry-index.ts';
import { COMPLETE_FILE, FACTS_FILE, INDEX_FILE, initName, segmentName } from './entry-layout.ts';
import { formatIndex } from './index-file.ts';

/** What has been encoded in part is worth keeping for so long after its last use. */
const PARTIAL_LIFE_MS = 24 * 60 * 60 * 1_000;

/** Larger ones are not ours. */
const MAX_FACTS_BYTES = 256 * 1024;
const MAX_INDEX_BYTES = 256 * 1024 * 1024;

/**
 * Reads an entry that an earlier process left. Of one that is not complete it keeps what counts: segments in the readable
 * part of the index, but not the last one of a run that has no end, since the disk may not have it whole. Their checksums
 * are compared when it is used first. Other files in the folder are deleted.
 * @returns `undefined` if nothing of it is worth keeping
 * @throws an error of the file system if the folder cannot be read or tidied up
 */
export async function loadEntry(folder: string, context: CacheContext): Promise<CacheEntry | undefined> {
  const text = await readBounded(path.join(folder, FACTS_FILE), MAX_FACTS_BYTES);
  const facts = text === undefined ? undefined : parseFacts(text);
  if (facts?.key !== path.basename(folder)) return undefined;
  const lastUsedMs = (await stat(path.join(folder, FACTS_FILE))).mtimeMs;
  const names = new Set(await readdir(folder));
  if (!names.has(initName(facts.format))) return undefined;
  const whole = readIndex((await readBounded(path.join(folder, INDEX_FILE), MAX_INDEX_BYTES)) ?? '');
  // It may have had more segments once.
  const index = { ...whole, records: whole.records.filter((record) => record.index < facts.segmentCount) };
  const base = { folder, facts, lastUsedMs, context };
  if (isComplete({ facts, index, names })) return new CacheEntry({ ...base, index, isComplete: true });

  const records = index.records.filter((record) => counts({ record, facts, index, names }));
  const isStale = context.clock.nowMs() - lastUsedMs > PARTIAL_LIFE_MS;
  if (records.length === 0 || isStale) return undefined;
  await tidy({ folder, facts, index, records, names });
  return new CacheEntry({ ...base, index: { records, lines: records.length }, isComplete: false });
}

interface Found {
  readonly facts: EntryFacts;
  readonly index: EntryIndex;
  /** Files in the folder. */
  readonly names: ReadonlySet<string>;
}

function isComplete({ facts, index, names }: Found): boolean {
  return names.has(COMPLETE_FILE) && index.isWhole && index.records.length === facts.segmentCount;
}

function counts({ record, facts, index, names }: Found & { record: SegmentRecord }): boolean {
  return names.has(segmentName(facts.format, record.index)) && !index.unsure.has(record.index);
}

async function tidy({
  folder,
  facts,
  index,
  records,
  names,
}: Found & { folder: string; records: readonly SegmentRecord[] }): Promise<void> {
  const kept = new Set([FACTS_FILE, INDEX_FILE, initName(facts.format)]);
  for (const record of records) kept.add(segmentName(facts.format, record.index));
  // The mark goes first: without it, nothing else of the folder is taken for granted.
  const others = [...names].filter((name) => !kept.has(name)).sort((a, b) => rank(a) - rank(b));
  for (const name of others) await rm(path.join(folder, name), { recursive: true, force: true });
  if (index.isWhole && index.unsure.size === 0 && index.lines < 2 * records.length + 100) return;
  const byNumber = new Map(records.map((record) => [record.index, record]));
  const endedRuns = new Set(records.map(({ run }) => run));
  await writeFileAtomically(path.join(folder, INDEX_FILE), formatIndex({ records: byNumber, endedRuns }));
}

function rank(name: string): number {
  return name === COMPLETE_FILE ? 0 : 1;
}

/** The text of a file; `undefined` if it is missing or too long. */
async function readBounded(file: string, maxBytes: number): Promise<string | undefined> {
  try {
    return (await stat(file)).size > maxBytes ? undefined : await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
