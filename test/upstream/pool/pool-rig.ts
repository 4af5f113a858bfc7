import { randomBytes } from 'node:crypto';
import type http from 'node:http';
import { AddressGuard } from '../../../src/remote/address-guard.ts';
import { RemoteClient, type RemoteClientOptions } from '../../../src/remote/remote-client.ts';
import { parseRemoteUrl } from '../../../src/remote/remote-url.ts';
import type { MediaItem } from '../../../src/upstream/pool/media-item.ts';
import { SegmentPool, type SegmentPoolOptions } from '../../../src/upstream/pool/segment-pool.ts';
import { SourceFetcher, type SourceFetcherOptions } from '../../../src/upstream/pool/source-fetcher.ts';
import { type Clock, systemClock } from '../../../src/util/clock.ts';
import { until } from '../../support/poll.ts';
import { RangeServer } from '../../support/range-server.ts';

/** The real clock, but waits take a twentieth of the time. */
export const hastyClock: Clock = { ...systemClock, wait: (ms, signal) => systemClock.wait(ms / 20, signal) };

interface RigOptions {
  readonly bytes?: Buffer;
  readonly clock?: Clock;
  readonly client?: Partial<RemoteClientOptions>;
  readonly pool?: Partial<SegmentPoolOptions>;
  readonly fetcher?: Partial<SourceFetcherOptions>;
}

/** A pool that fetches from a web server, which serves one file at every path until a test gives it a trick. */
export class PoolRig {
  readonly server: RangeServer;
  readonly failures: string[] = [];
  readonly bytes: Buffer;
  readonly client: RemoteClient;
  readonly fetcher: SourceFetcher;
  readonly pool: SegmentPool;
  readonly #held = new Map<string, http.ServerResponse>();

  private constructor(
    server: RangeServer,
    { bytes = randomBytes(300_000), clock = hastyClock, client, pool, fetcher }: RigOptions,
  ) {
    this.server = server;
    this.bytes = bytes;
    this.client = new RemoteClient({
      guard: new AddressGuard(['127.0.0.0/8']),
      onFailure: (detail) => this.failures.push(detail),
      ...client,
    });
    const addresses = [parseRemoteUrl(server.url('/index.m3u8'))];
    this.fetcher = new SourceFetcher({ client: this.client, clock, addresses, ...fetcher });
    this.pool = new SegmentPool({ maxBytes: 16 << 20, ttlMs: 60_000, clock, isMemoryShort: () => false, ...pool });
  }

  static async start(options: RigOptions = {}): Promise<PoolRig> {
    const bytes = options.bytes ?? randomBytes(300_000);
    return new PoolRig(await RangeServer.start(bytes), { ...options, bytes });
  }

  /** Paths that were asked for, in order. */
  get paths(): string[] {
    return this.server.seen.map(({ path }) => path);
  }

  item(id: string, options: Partial<Omit<MediaItem, 'target'>> & { path?: string } = {}): MediaItem {
    const { path = `/${id}`, ...rest } = options;
    return { id, target: parseRemoteUrl(this.server.url(path)), durationMs: 2_000, kind: 'segment', ...rest };
  }

  /** From now on, answers stop after so many bytes until `finish()`; only those to paths that match. */
  hold({ after = 1_000, only = /./ }: { after?: number; only?: RegExp } = {}): void {
    this.server.trick = (request, response) => {
      const path = request.url ?? '';
      if (!only.test(path)) return false;
      response.writeHead(200, { etag: this.server.etag, 'content-length': this.bytes.length });
      if (after > 0) response.write(this.bytes.subarray(0, after));
      else response.flushHeaders();
      this.#held.set(path, response);
      response.once('close', () => this.#held.delete(path));
      return undefined;
    };
  }

  /** Paths whose answers are held now. */
  get held(): string[] {
    return [...this.#held.keys()];
  }

  /** Sends the rest of an answer that is held, as soon as it is. */
  async finish(path: string, after = 1_000): Promise<void> {
    const response = await until(`a request for ${path}`, () => this.#held.get(path));
    this.#held.delete(path);
    response.end(this.bytes.subarray(after));
  }

  /** Breaks an answer that is held. */
  async break(path: string): Promise<void> {
    const response = await until(`a request for ${path}`, () => this.#held.get(path));
    response.destroy();
  }

  async isAskedFor(...paths: string[]): Promise<void> {
    await until(`requests for ${paths.join(' ')}`, () => paths.every((path) => this.paths.includes(path)));
  }

  async close(): Promise<void> {
    await this.pool.close();
    await this.client.close();
    await this.server.close();
  }
}
