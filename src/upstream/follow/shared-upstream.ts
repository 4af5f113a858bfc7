import type { RemoteClient } from '../../remote/remote-client.ts';
import type { RemoteResponse } from '../../remote/remote-response.ts';
import { addressLabel, parseRemoteUrl, type RemoteUrl } from '../../remote/remote-url.ts';
import type { Clock } from '../../util/clock.ts';
import type { Closable } from '../../util/closer.ts';
import { AppError, reasonOf } from '../../util/errors.ts';
import type { Logger } from '../../util/logger.ts';
import { Prefetcher } from '../pool/prefetcher.ts';
import type { SegmentPool } from '../pool/segment-pool.ts';
import { SourceFetcher } from '../pool/source-fetcher.ts';
import { abortable } from './abortable.ts';
import { DiscontinuityShifts } from './discontinuity-shifts.ts';
import { probeAddress } from './first-address-probe.ts';
import { LadderSource } from './ladder-source.ts';
import { ListingLimit } from './listing-limit.ts';
import { PlaylistFollower } from './playlist-follower.ts';
import { PlaylistLoader } from './playlist-loader.ts';
import type { FollowerEvent } from './playlist-progress.ts';
import { lookAt, type StreamKind } from './stream-kind.ts';
import type { UpstreamLadder } from './upstream-ladder.ts';
import type { UpstreamSpec } from './upstream-spec.ts';
import {
  addCounters,
  NO_COUNTERS,
  type UpstreamCounters,
  type UpstreamState,
  type UpstreamStatus,
} from './upstream-status.ts';
import { UrlRotation } from './url-rotation.ts';

const PROBE_MS = 30_000;
const MAX_LINGER_MS = 10_000;
const PLAYLIST_NAME = /\.m3u8?$/i;

/** What upstreams have in common. Defaults in brackets. */
export interface UpstreamOptions {
  readonly client: RemoteClient;
  readonly pool: SegmentPool;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Segments to fetch ahead of each player. */
  readonly prefetchSegments: number;
  /** How long an upstream that nobody uses is kept, and after how long without a player a prefetcher counts as inactive. */
  readonly idleMs: number;
  readonly failuresBeforeNext: number;
  /** For the jitter of pauses [Math.random]. */
  readonly random?: () => number;
}

/** What equal specs share: one rotation of addresses, one loop for each playlist, one set of connections. */
export class SharedUpstream implements Closable {
  readonly fetcher: SourceFetcher;
  readonly rotation: UrlRotation;
  readonly #options: UpstreamOptions;
  readonly #logger: Logger;
  readonly #id: string;
  readonly #spec: UpstreamSpec;
  readonly #over = new AbortController();
  readonly #ladder: LadderSource;
  readonly #followers = new Map<string, { readonly follower: PlaylistFollower; readonly prefetcher: Prefetcher }>();
  readonly #shifts = new DiscontinuityShifts();
  readonly #listing = new ListingLimit();
  readonly #listeners = new Set<() => void>();
  readonly #stopProbing: () => void;
  readonly #counted = { playlistLoads: 0, unchanged: 0, errors: 0, stale: 0, breaks: 0 };
  #identifying: Promise<StreamKind> | undefined;
  #isIdentifying = false;
  #streams = 0;
  #probing: Promise<void> | undefined;
  #told = '';

  /** @param id nothing else has it, ever: it begins the ids of all items */
  constructor(id: string, spec: UpstreamSpec, options: UpstreamOptions) {
    this.#id = id;
    this.#spec = spec;
    this.#options = options;
    const { client, clock, logger, failuresBeforeNext, random } = options;
    const { urls, headers, userAgent, maxConnections } = spec;
    const addresses: RemoteUrl[] = urls.map(parseRemoteUrl);
    this.#logger = logger.child({ upstream: addresses[0]?.label });
    this.fetcher = new SourceFetcher({ client, clock, addresses, headers, userAgent, maxConnections });
    this.rotation = new UrlRotation({ urls, failuresBeforeNext, clock, ...(random !== undefined && { random }) });
    this.#ladder = new LadderSource({ fetcher: this.fetcher, clock, signal: this.#over.signal });
    this.rotation.onSwitch(({ from, to, reason }) => {
      const logged = { from: addressLabel(from.url), to: addressLabel(to.url), reason };
      if (to.index !== from.index) this.#logger.warn(logged, 'source: taking another address');
      this.#tell();
    });
    this.#stopProbing = clock.every(PROBE_MS, () => {
      if (this.rotation.wantsProbe && this.#isWanted) this.#probing ??= this.#probe();
    });
  }

  /** See `Upstream.kind()`. */
  kind(signal?: AbortSignal): Promise<StreamKind> {
    if (this.#identifying === undefined) {
      this.#isIdentifying = true;
      this.#identifying = this.#identify().finally(() => (this.#isIdentifying = false));
      this.#identifying.catch(() => (this.#identifying = undefined));
    }
    return abortable(this.#identifying, signal);
  }

  /** See `Upstream.ladder()`. */
  async ladder(signal?: AbortSignal): Promise<UpstreamLadder> {
    const kind = await this.kind(signal);
    const { known } = this.#ladder;
    if (kind === 'hls' && known !== undefined) return known;
    throw new AppError('BAD_MEDIA', `"${this.#label}" is a continuous stream, not a playlist`);
  }

  /**
   * The follower of a rendition.
   * @throws AppError `NOT_FOUND`
   */
  follower(renditionId: string): PlaylistFollower {
    const known = this.#followers.get(renditionId);
    if (known !== undefined) return known.follower;
    const rendition = this.#ladder.known?.renditions.find(({ id }) => id === renditionId);
    if (rendition === undefined || this.#over.signal.aborted) {
      throw new AppError('NOT_FOUND', `the source has no rendition "${renditionId}"`);
    }
    const { pool, clock, prefetchSegments: ahead, idleMs } = this.#options;
    const { fetcher, rotation } = this;
    const prefetcher = new Prefetcher({ pool, fetcher, ahead, clock, idleMs });
    const follower = new PlaylistFollower({
      ...{ id: renditionId, prefix: `${this.#id}/${renditionId}`, rotation, prefetcher, clock },
      loader: new PlaylistLoader({ rendition, ladder: this.#ladder, fetcher, listing: this.#listing }),
      ...{ shifts: this.#shifts, addresses: this.#spec.urls.length, lingerMs: Math.min(idleMs, MAX_LINGER_MS) },
      onEvent: (event) => this.#take(renditionId, event),
    });
    this.#followers.set(renditionId, { follower, prefetcher });
    return follower;
  }

  /** See `Upstream.openStream()`. */
  async openStream(signal?: AbortSignal): Promise<RemoteResponse> {
    const target = parseRemoteUrl(this.rotation.current.url);
    return this.fetcher.open(target, { signal });
  }

  /** Counts somebody who wants the stream until the returned function is called. */
  useStream(): () => void {
    this.#streams += 1;
    this.#tell();
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#streams -= 1;
      this.#tell();
    };
  }

  get counters(): UpstreamCounters {
    let counters: UpstreamCounters = { ...NO_COUNTERS, ...this.#counted, failovers: this.rotation.failovers };
    for (const { prefetcher } of this.#followers.values()) {
      const { hits, misses, prefetched, wastedBytes } = prefetcher.stats;
      counters = addCounters(counters, { ...NO_COUNTERS, hits, misses, prefetched, wastedBytes });
    }
    return counters;
  }

  /** Playlists that are being kept up to date, and prefetchers that are in use. */
  get activity(): { readonly playlists: number; readonly activePrefetchers: number } {
    const all = [...this.#followers.values()];
    return {
      playlists: all.filter(({ follower }) => follower.isRunning).length,
      activePrefetchers: all.filter(({ prefetcher }) => prefetcher.stats.active).length,
    };
  }

  get status(): UpstreamStatus {
    const { current, failovers, lastError } = this.rotation;
    return Object.freeze({
      ...{ state: this.#state, address: this.#label, urlIndex: current.index, failovers, lastError },
      counters: this.counters,
    });
  }

  /** See `Upstream.onChange()`. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async close(): Promise<void> {
    this.#over.abort();
    this.#stopProbing();
    this.#listeners.clear();
    await Promise.all([...this.#followers.values()].map(({ follower }) => follower.close()));
    await this.#probing;
    await this.#identifying?.catch(() => undefined);
  }

  get #label(): string {
    return addressLabel(this.rotation.current.url);
  }

  get #isWanted(): boolean {
    return this.#streams > 0 || [...this.#followers.values()].some(({ follower }) => follower.isHeld);
  }

  get #state(): UpstreamState {
    const held = [...this.#followers.values()].map(({ follower }) => follower).filter(({ isHeld }) => isHeld);
    if (held.length === 0 && this.#streams === 0 && !this.#isIdentifying) return 'idle';
    if (this.rotation.isFailing || held.some(({ isStalled }) => isStalled)) return 'failing';
    if (held.length === 0) return this.#streams > 0 ? 'live' : 'starting';
    if (held.every(({ current, isRunning }) => current?.ended === true && !isRunning)) return 'ended';
    return held.some(({ current }) => current !== undefined) ? 'live' : 'starting';
  }

  /** Tries one address after the other until one is understood, or all have failed. */
  async #identify(): Promise<StreamKind> {
    const { signal } = this.#over;
    for (;;) {
      const address = this.rotation.current;
      try {
        const kind = await this.#lookAt(address.url);
        if (kind === 'hls') await this.#ladder.ladder(address, signal);
        this.rotation.succeeded(address);
        return kind;
      } catch (thrown) {
        if (signal.aborted) throw new AppError('UNAVAILABLE', 'the source is no longer followed');
        const error = thrown instanceof AppError ? thrown : new AppError('UNAVAILABLE', 'it could not be read');
        this.#counted.errors += 1;
        const waitMs = this.rotation.failed(address, error.message);
        this.#tell();
        if (this.rotation.exhausted) throw error;
        if (waitMs > 0) await this.#options.clock.wait(waitMs, signal);
      }
    }
  }

  async #lookAt(url: string): Promise<StreamKind> {
    const target = parseRemoteUrl(url);
    return PLAYLIST_NAME.test(target.url.pathname) ? 'hls' : lookAt(this.fetcher, target, this.#over.signal);
  }

  async #probe(): Promise<void> {
    const held = [...this.#followers.values()].find(({ follower }) => follower.isHeld)?.follower.id;
    const finding = await probeAddress({
      ...{ url: this.#spec.urls[0] ?? '', fetcher: this.fetcher, signal: this.#over.signal },
      rendition: this.#ladder.known?.renditions.find(({ id }) => id === held),
    });
    this.#probing = undefined;
    this.rotation.probed(finding);
  }

  #take(rendition: string, event: FollowerEvent): void {
    if (event.kind === 'loaded' || event.kind === 'unchanged') this.#counted.playlistLoads += 1;
    if (event.kind === 'unchanged') this.#counted.unchanged += 1;
    else if (event.kind === 'stale') this.#counted.stale += 1;
    else if (event.kind === 'error') {
      this.#counted.errors += 1;
      this.#logger.debug({ rendition, reason: event.reason }, 'source: a playlist could not be loaded');
    } else if (event.kind === 'broke') {
      this.#counted.breaks += 1;
      this.#logger.info({ rendition, reason: event.reason }, 'source: the timeline breaks');
    } else if (event.kind === 'stalled') {
      this.#logger.warn({ rendition, reason: event.reason }, 'source: nothing new');
    }
    this.#tell();
  }

  /** Calls listeners if something that they can see has changed. */
  #tell(): void {
    const { state, urlIndex, lastError, failovers } = this.status;
    const told = JSON.stringify([state, urlIndex, lastError, failovers]);
    if (told === this.#told) return;
    this.#told = told;
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (thrown) {
        this.#logger.error({ reason: reasonOf(thrown) }, 'source: a listener failed');
      }
    }
  }
}
