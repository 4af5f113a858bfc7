import { AddressGuard } from '../../src/remote/address-guard.ts';
import { LoopbackRelay } from '../../src/remote/loopback-relay.ts';
import { RemoteClient, type RemoteClientOptions } from '../../src/remote/remote-client.ts';
import { KeyStore } from '../../src/upstream/pool/key-store.ts';
import { SegmentPool } from '../../src/upstream/pool/segment-pool.ts';
import { type Clock, systemClock } from '../../src/util/clock.ts';
import type { RemoteAccess } from '../../src/vod/source/remote-source.ts';

/** All that remote sources are read with, for web servers on 127.0.0.1. To be closed. */
export function openRemoteAccess(
  options: Partial<RemoteClientOptions> = {},
  clock: Clock = systemClock,
): RemoteAccess & { close(): Promise<void> } {
  const client = new RemoteClient({ guard: new AddressGuard(['127.0.0.1']), ...options });
  const relay = new LoopbackRelay({ client });
  const pool = new SegmentPool({ maxBytes: 32 << 20, ttlMs: 30_000, clock, isMemoryShort: () => false });
  const close = async (): Promise<void> => {
    await relay.close();
    await pool.close();
    await client.close();
  };
  return { client, relay, pool, keys: new KeyStore({ clock }), clock, close };
}
