import path from 'node:path';
import { type DiskBudget } from '../cache/disk-budget.ts';
import { PulledStore } from '../cache/pulled-store.ts';
import { AddressGuard } from '../remote/address-guard.ts';
import { KeyStore } from '../upstream/pool/key-store.ts';
import { SegmentPool } from '../upstream/pool/segment-pool.ts';
import type { Parts } from './parts.ts';

/** What everything shares that fetches media from elsewhere. */
export interface RemoteMedia {
  readonly guard: AddressGuard;
  readonly pool: SegmentPool;
  readonly keys: KeyStore;
}

/** Opens what fetched media goes through. */
export async function openRemoteMedia({ config, clock, logger, own }: Parts, budget: DiskBudget): Promise<RemoteMedia> {
  const { pull, allowPrivate, dataDir, storage } = config;
  const megabytes = 1024 * 1024;
  const disk = own(
    await PulledStore.open({
      root: path.join(dataDir, 'pulled'),
      maxBytes: storage.dvrMaxMb * megabytes,
      ...{ budget, logger },
    }),
  );
  const pool = own(new SegmentPool({ maxBytes: pull.memoryMb * megabytes, ttlMs: pull.ttlMs, clock, disk }));
  return { guard: new AddressGuard(allowPrivate), pool, keys: new KeyStore({ clock }) };
}
