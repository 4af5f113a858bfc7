import type { CacheEntry } from './cache-entry.ts';
import type { CacheEntryReport, CacheReport } from './cache-report.ts';
import type { CounterTable } from './counter-table.ts';
import type { DiskBudget } from './disk-budget.ts';

/** More are counted, but not listed. */
const MAX_LISTED = 1_000;

/** Describes a cache. */
export function reportCache(entries: Iterable<CacheEntry>, counters: CounterTable, budget: DiskBudget): CacheReport {
  const all = [...entries].sort((a, b) => b.lastUsedMs - a.lastUsedMs);
  const bytes = all.reduce((sum, entry) => sum + entry.bytes, 0);
  const { maxBytes, usedBytes } = budget;
  return {
    budget: { maxBytes, usedBytes, liveBytes: Math.max(0, usedBytes - bytes) },
    totals: {
      ...counters.total,
      entries: all.length,
      completeEntries: all.filter(({ isComplete }) => isComplete).length,
      pinnedEntries: all.filter(({ pins }) => pins > 0).length,
      bytes,
    },
    entries: all.slice(0, MAX_LISTED).map((entry) => reportEntry(entry, counters)),
  };
}

function reportEntry(entry: CacheEntry, counters: CounterTable): CacheEntryReport {
  const { key, format, sourceLabel, quality, audioIndex, segmentCount, createdAtMs } = entry.facts;
  return {
    ...counters.of(key),
    ...{ key, format, sourceLabel, quality, audioIndex, segmentCount, createdAtMs },
    segments: entry.segments.size,
    isComplete: entry.isComplete,
    bytes: entry.bytes,
    isPinned: entry.pins > 0,
    lastUsedAtMs: entry.lastUsedMs,
  };
}
