import type { SourceEntry } from '../config/source-entry.ts';
import type { UpstreamSpec } from '../upstream/follow/upstream-spec.ts';
import { LadderRun, type LadderRunParts } from './ladder-run.ts';
import { ChannelRun, type RelayRunParts, type SourceChannel } from './relay-run.ts';
import { addressesOf } from './source-address.ts';
import type { RelayRun, RunFactory, RunRequest, SourceRun } from './source-run.ts';
import type { SourceUpstream } from './source-upstream.ts';

interface SourceRunsParts<Upstream extends SourceUpstream, Channel extends SourceChannel>
  extends LadderRunParts<Upstream>, RelayRunParts<Upstream, Channel> {
  /** Opens an upstream; equal ones are shared. @throws AppError */
  readonly openUpstream: (spec: UpstreamSpec) => Upstream;
}

/** Runs sources with what fetches, publishes and relays them. */
export class SourceRuns<Upstream extends SourceUpstream, Channel extends SourceChannel> implements RunFactory<Channel> {
  readonly #parts: SourceRunsParts<Upstream, Channel>;

  constructor(parts: SourceRunsParts<Upstream, Channel>) {
    this.#parts = parts;
  }

  ladder(request: RunRequest): SourceRun {
    const isHttp = addressesOf(request.entry).every((address) => /^https?:/i.test(address));
    return new LadderRun(request, this.#parts, isHttp ? this.#upstream(request.entry) : undefined);
  }

  relay(request: RunRequest): RelayRun<Channel> {
    return new ChannelRun(request, this.#parts, this.#upstream(request.entry));
  }

  #upstream(entry: SourceEntry): Upstream {
    const { headers, userAgent, maxConnections } = entry;
    return this.#parts.openUpstream({ urls: addressesOf(entry), headers, userAgent, maxConnections });
  }
}
