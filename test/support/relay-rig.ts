import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { answerError } from '../../src/http/error-replies.ts';
import { relayRoutes } from '../../src/http/relay-routes.ts';
import { RelayChannel } from '../../src/relay/relay-channel.ts';
import { UrlSigner } from '../../src/relay/url-signer.ts';
import { AddressGuard } from '../../src/remote/address-guard.ts';
import { RemoteClient } from '../../src/remote/remote-client.ts';
import type { Upstream } from '../../src/upstream/follow/upstream.ts';
import { UpstreamHub } from '../../src/upstream/follow/upstream-hub.ts';
import { SegmentPool } from '../../src/upstream/pool/segment-pool.ts';
import { AppError } from '../../src/util/errors.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { fastClock } from './pull-rig.ts';

/** Everything that relays sources, against web servers of the test, and served on a port of its own. */
export class RelayRig {
  readonly #app: FastifyInstance;
  readonly #channels = new Map<string, { readonly channel: RelayChannel; readonly upstream: Upstream }>();
  readonly #hub: UpstreamHub;
  readonly #close: () => Promise<void>;
  readonly #add: (name: string, upstream: Upstream) => RelayChannel;

  private constructor(app: FastifyInstance, speed: number) {
    this.#app = app;
    const clock = fastClock(speed);
    const client = new RemoteClient({ guard: new AddressGuard(['127.0.0.0/8']), onFailure: () => undefined });
    const pool = new SegmentPool({ maxBytes: 64 << 20, ttlMs: 60_000, clock, isMemoryShort: () => false });
    const limits = { prefetchSegments: 3, idleMs: 5_000, failuresBeforeNext: 2 };
    this.#hub = new UpstreamHub({ client, pool, clock, logger: silentLogger, ...limits });
    const signer = new UrlSigner('a secret of the test');
    this.#add = (name, upstream) => new RelayChannel({ name, upstream, signer, clock, logger: silentLogger });
    this.#close = async () => {
      await app.close();
      for (const { channel, upstream } of this.#channels.values()) {
        await channel.close();
        upstream.release();
      }
      await this.#hub.close();
      await pool.close();
      await client.close();
    };
    app.setErrorHandler<AppError>((error, request, reply) => answerError(error, request, reply, silentLogger));
    void app.register(relayRoutes, { signer, clock, channel: (name: string) => this.#channel(name) });
  }

  /** @param speed how much faster than ours the clock of the program runs */
  static async start(speed = 1): Promise<RelayRig> {
    const rig = new RelayRig(fastify({ forceCloseConnections: true }), speed);
    await rig.#app.listen({ host: '127.0.0.1', port: 0 });
    return rig;
  }

  /** Registers a source; answers with the address of its relay. */
  relay(name: string, ...urls: string[]): string {
    const upstream = this.#hub.open({ urls });
    this.#channels.set(name, { upstream, channel: this.#add(name, upstream) });
    const { port } = this.#app.server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/relay/${name}/index.m3u8`;
  }

  /** How its source is doing. */
  status(name: string): ReturnType<Upstream['status']> {
    return this.#channels.get(name)!.upstream.status();
  }

  close(): Promise<void> {
    return this.#close();
  }

  #channel(name: string): Promise<RelayChannel> {
    const known = this.#channels.get(name);
    if (known !== undefined) return Promise.resolve(known.channel);
    return Promise.reject(new AppError('NOT_FOUND', `there is no source "${name}"`));
  }
}
