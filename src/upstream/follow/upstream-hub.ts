import type { Closable } from '../../util/closer.ts';
import { AppError } from '../../util/errors.ts';
import { MAX_CONNECTIONS } from '../pool/source-fetcher.ts';
import { SharedUpstream, type UpstreamOptions } from './shared-upstream.ts';
import { Upstream } from './upstream.ts';
import { specKey, type UpstreamSpec } from './upstream-spec.ts';
import { addCounters, NO_COUNTERS, type UpstreamCounters, type UpstreamStats } from './upstream-status.ts';

interface Opened {
  readonly shared: SharedUpstream;
  /** Each with the requests at a time that it allows, if it says so. */
  readonly uses: Set<Pick<UpstreamSpec, 'maxConnections'>>;
  /** Ends the wait for somebody who uses it again. */
  idle: AbortController;
}

/** All upstreams that are used. Equal ones are one; one that nobody uses any more is kept for a while. */
export class UpstreamHub implements Closable {
  readonly #options: UpstreamOptions;
  readonly #opened = new Map<string, Opened>();
  readonly #closings = new Set<Promise<void>>();
  #count = 0;
  /** Of those that are closed. */
  #past: UpstreamCounters = NO_COUNTERS;
  #closing: Promise<void> | undefined;

  constructor(options: UpstreamOptions) {
    this.#options = options;
  }

  /**
   * Opens an upstream; nothing is fetched before something is asked of it. To be released.
   * @throws AppError `BAD_REQUEST` for an address that is none or a header that cannot be chosen, `UNAVAILABLE` if closed
   */
  open(spec: UpstreamSpec): Upstream {
    if (this.#closing !== undefined) throw new AppError('UNAVAILABLE', 'this server is shutting down');
    if (spec.urls.length === 0) throw new AppError('BAD_REQUEST', 'a source needs an address');
    const key = specKey(spec);
    const opened = this.#opened.get(key) ?? this.#begin(key, spec);
    const use = { maxConnections: spec.maxConnections };
    opened.uses.add(use);
    opened.idle.abort();
    limitConnections(opened);
    return new Upstream(opened.shared, () => {
      opened.uses.delete(use);
      if (opened.uses.size === 0) this.#linger(key, opened);
      else limitConnections(opened);
    });
  }

  stats(): UpstreamStats {
    const all = [...this.#opened.values()].map(({ shared }) => shared);
    const counters = all.reduce((sum, shared) => addCounters(sum, shared.counters), this.#past);
    const sum = (figure: 'playlists' | 'activePrefetchers'): number =>
      all.reduce((total, { activity }) => total + activity[figure], 0);
    return {
      ...{ upstreams: all.length, playlists: sum('playlists'), activePrefetchers: sum('activePrefetchers') },
      ...counters,
    };
  }

  /** Ends everything, also what is still used. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  #begin(key: string, spec: UpstreamSpec): Opened {
    const shared = new SharedUpstream(`u${this.#count}`, spec, this.#options);
    const opened: Opened = { shared, uses: new Set(), idle: new AbortController() };
    this.#count += 1;
    this.#opened.set(key, opened);
    return opened;
  }

  #linger(key: string, opened: Opened): void {
    const idle = new AbortController();
    opened.idle = idle;
    void this.#options.clock.wait(this.#options.idleMs, idle.signal).then(() => {
      if (!idle.signal.aborted) this.#drop(key, opened);
    });
  }

  #drop(key: string, opened: Opened): void {
    if (this.#opened.get(key) !== opened) return;
    this.#opened.delete(key);
    this.#past = addCounters(this.#past, opened.shared.counters);
    const closing = opened.shared.close().finally(() => this.#closings.delete(closing));
    this.#closings.add(closing);
  }

  async #end(): Promise<void> {
    for (const [key, opened] of this.#opened) {
      opened.idle.abort();
      this.#drop(key, opened);
    }
    await Promise.all(this.#closings);
  }
}

/** All uses share the connections, so none of them may be given more than it allows. */
function limitConnections({ shared, uses }: Opened): void {
  const limits = [...uses].flatMap(({ maxConnections }) => maxConnections ?? []);
  shared.fetcher.scope.limitTo(limits.length === 0 ? MAX_CONNECTIONS : Math.min(...limits));
}
