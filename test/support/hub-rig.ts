import { AddressGuard } from '../../src/remote/address-guard.ts';
import { RemoteClient } from '../../src/remote/remote-client.ts';
import type { UpstreamOptions } from '../../src/upstream/follow/shared-upstream.ts';
import { UpstreamHub } from '../../src/upstream/follow/upstream-hub.ts';
import { SegmentPool } from '../../src/upstream/pool/segment-pool.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { UpstreamServer } from './upstream/upstream-server.ts';

type HubRigOptions = Pick<UpstreamOptions, 'clock' | 'prefetchSegments' | 'idleMs' | 'random'>;

/** A hub that follows a web server of the test, and leaves an address at its first failure. */
export class HubRig {
  readonly server: UpstreamServer;
  readonly hub: UpstreamHub;
  readonly #client = new RemoteClient({ guard: new AddressGuard(['127.0.0.0/8']) });
  readonly #pool: SegmentPool;

  private constructor(server: UpstreamServer, options: HubRigOptions) {
    const { clock } = options;
    this.server = server;
    this.#pool = new SegmentPool({ maxBytes: 10_000_000, ttlMs: 600_000, clock, isMemoryShort: () => false });
    const { pool, client } = { pool: this.#pool, client: this.#client };
    this.hub = new UpstreamHub({ client, pool, logger: silentLogger, failuresBeforeNext: 1, ...options });
  }

  /** Begins a server and the hub; the clock stays with the test. To be closed. */
  static async start(options: HubRigOptions): Promise<HubRig> {
    return new HubRig(await UpstreamServer.start(), options);
  }

  async close(): Promise<void> {
    await this.hub.close();
    await this.#pool.close();
    await this.#client.close();
    await this.server.close();
  }
}
