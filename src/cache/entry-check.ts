import { readFile, stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { CacheEntry, StoredSegment } from './cache-entry.ts';
import { sha256 } from './encode-profile.ts';

/** Files that are looked at at a time. */
const PARALLEL = 8;

/** What is wrong with an entry. */
interface Damage {
  readonly init: boolean;
  /** Numbers of segments that are missing, or other than they were. */
  readonly segments: readonly number[];
}

/**
 * Compares the files of an entry with what is known of them: the init byte for byte, segments by their length, and by their
 * checksum if they are not trusted.
 */
export async function findDamage(entry: CacheEntry): Promise<Damage> {
  const waiting = [...entry.segments.values()];
  const segments: number[] = [];
  const work = async (): Promise<void> => {
    for (let segment = waiting.pop(); segment !== undefined; segment = waiting.pop()) {
      const isGood = await isIntact(entry, segment);
      // It may have been deleted to make room meanwhile.
      if (!isGood && entry.segments.get(segment.index) === segment) segments.push(segment.index);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return { init: !(await isInitIntact(entry)), segments };
}

async function isIntact(entry: CacheEntry, segment: StoredSegment): Promise<boolean> {
  const file = entry.pathOf(segment.index);
  try {
    const found = await stat(file);
    if (!found.isFile() || found.size !== segment.bytes) return false;
    return entry.isTrusted || crc32(await readFile(file)) === segment.crc32;
  } catch {
    return false;
  }
}

async function isInitIntact(entry: CacheEntry): Promise<boolean> {
  try {
    const { path, size } = entry.init();
    if ((await stat(path)).size !== size) return false;
    return sha256(await readFile(path)) === entry.facts.initHash;
  } catch {
    return false;
  }
}
