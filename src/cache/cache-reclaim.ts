import type { CacheEntry } from './cache-entry.ts';

/** What a segment of a leased entry has to be left alone for after its last use. */
const IDLE_AFTER_MS = 60_000;

/** Entries that nobody uses, which together have so many bytes: those that are of no more use first, then the least recently used. */
export function pickEntries(entries: Iterable<CacheEntry>, bytes: number): CacheEntry[] {
  const idle = [...entries].filter(({ pins }) => pins === 0);
  idle.sort((a, b) => Number(b.isSuperseded) - Number(a.isSuperseded) || a.lastUsedMs - b.lastUsedMs);
  return takeUntil(idle, bytes);
}

interface IdleSegment {
  readonly entry: CacheEntry;
  readonly index: number;
  readonly bytes: number;
  readonly lastUsedMs: number;
}

/** Segments, of all entries, that nobody used for a minute and which together have so many bytes, least recently used first. */
export function pickSegments(entries: Iterable<CacheEntry>, bytes: number, nowMs: number): Map<CacheEntry, number[]> {
  const idle: IdleSegment[] = [];
  for (const entry of entries) {
    for (const segment of entry.segments.values()) {
      if (nowMs - segment.lastUsedMs >= IDLE_AFTER_MS) idle.push({ entry, ...segment });
    }
  }
  idle.sort((a, b) => a.lastUsedMs - b.lastUsedMs);
  const picked = new Map<CacheEntry, number[]>();
  for (const { entry, index } of takeUntil(idle, bytes)) {
    const indices = picked.get(entry);
    if (indices === undefined) picked.set(entry, [index]);
    else indices.push(index);
  }
  return picked;
}

function takeUntil<T extends { readonly bytes: number }>(items: readonly T[], bytes: number): T[] {
  let left = bytes;
  return items.filter((item) => {
    if (left <= 0) return false;
    left -= item.bytes;
    return true;
  });
}
