import path from 'node:path';
import { DiskBudget } from '../cache/disk-budget.ts';
import { LiveStore } from '../cache/live-store.ts';
import { SegmentCache } from '../cache/segment-cache.ts';
import { Archives } from '../hls/archives.ts';
import { SequenceStore } from '../hls/sequence-store.ts';
import type { StorageFigures } from '../observability/file-figures.ts';
import type { Parts } from './parts.ts';

/** What outlives segments in memory. */
export interface Storage {
  /** Live segments that are older. */
  readonly store: LiveStore;
  /** Recordings. */
  readonly archives: Archives;
  /** Numbers that live playlists have used up. */
  readonly sequences: SequenceStore;
  /** Encoded files; shares its disk with the live segments. */
  readonly cache: SegmentCache;
  /** The disk of both. */
  readonly budget: DiskBudget;
}

/** Opens everything that is kept on disk. */
export async function openStorage({ config, clock, logger, own }: Parts): Promise<Storage> {
  const { dataDir, hls, storage } = config;
  const bytes = (megabytes: number): number => megabytes * 1024 * 1024;
  const within = (name: string): string => path.join(dataDir, name);
  const budget = await DiskBudget.open({ folder: dataDir, size: storage.sizeGb });
  const liveLimits = { maxBytes: bytes(storage.dvrMaxMb), maxBroadcastBytes: bytes(hls.dvrMaxMb) };
  return {
    budget,
    cache: own(await SegmentCache.open({ root: within('cache'), budget, clock, logger })),
    store: own(await LiveStore.open({ root: within('live'), ...liveLimits, budget, logger })),
    archives: own(
      await Archives.open({ root: within('archives'), maxBytes: bytes(storage.archiveMaxMb), clock, logger }),
    ),
    sequences: own(await SequenceStore.open({ file: within('sequences.json'), clock, logger })),
  };
}

/** What is in the storage, for the metrics. */
export function storageFigures({ cache, store }: Storage): StorageFigures {
  const { budget, totals } = cache.report();
  const { dropped, failed } = store.stats;
  const { entries, hits, partialHits, misses, evictions, invalidations } = totals;
  return {
    ...budget,
    ...{ entries, hits, partialHits, misses, evictions, invalidations },
    ...{ liveDropped: dropped, liveFailed: failed },
  };
}
