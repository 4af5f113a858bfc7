import path from 'node:path';
import type { FfmpegBinary } from '../ffmpeg/ffmpeg-binary.ts';
import type { HlsOrigin } from '../hls/hls-origin.ts';
import { HostAllowList } from '../ingest/pull/host-allow-list.ts';
import { LadderPull } from '../ingest/pull/ladder-pull.ts';
import { ProtocolFeed } from '../ingest/pull/protocol-feed.ts';
import { httpFeed } from '../ingest/pull/stream-feed.ts';
import { StreamPull } from '../ingest/pull/stream-pull.ts';
import type { Publishers } from '../ingest/publishers.ts';
import type { SourceFigures } from '../observability/source-figures.ts';
import { RelayChannel } from '../relay/relay-channel.ts';
import type { UrlSigner } from '../relay/url-signer.ts';
import { RemoteClient } from '../remote/remote-client.ts';
import type { LadderRunParts } from '../sources/ladder-run.ts';
import { SourceRuns } from '../sources/source-runs.ts';
import { Sources } from '../sources/sources.ts';
import type { Upstream } from '../upstream/follow/upstream.ts';
import { UpstreamHub } from '../upstream/follow/upstream-hub.ts';
import type { VodSessions } from '../vod/session/vod-sessions.ts';
import type { Parts } from './parts.ts';
import type { RemoteMedia } from './remote-media.ts';

/** Streams of other servers, and who relays them. */
export interface RemoteSources {
  readonly sources: Sources<RelayChannel>;
  figures(): SourceFigures;
}

interface Neighbours {
  readonly media: RemoteMedia;
  readonly binary: FfmpegBinary;
  readonly publishers: Publishers;
  readonly origin: HlsOrigin;
  readonly films: VodSessions;
  readonly signer: UrlSigner;
  /** Takes what must not be seen in logs; what it returns takes that back. */
  readonly hide: (...secrets: string[]) => () => void;
}

const HEADERS_TIMEOUT_MS = 5_000;
/** Requests to all sources together at a time. */
const MIN_REQUESTS = 64;
const REQUESTS_PER_SOURCE = 4;

/** Data flows from the top of this function to its bottom: addresses become upstreams, those broadcasts or relays. */
export async function openRemoteSources(parts: Parts, neighbours: Neighbours): Promise<RemoteSources> {
  const { config, clock, logger, own } = parts;
  const { media, publishers, origin, films, signer, hide } = neighbours;
  const { pull, dataDir } = config;
  const { guard, pool } = media;
  const hosts = new HostAllowList(pull.allowHosts);
  const onFailure = (detail: string): void => logger.debug({ detail }, 'a source could not be fetched');
  const client = own(
    new RemoteClient({
      ...{ guard, clock, onFailure, maxPerHost: pull.maxPerHost },
      headersTimeoutMs: HEADERS_TIMEOUT_MS,
      // A continuous stream holds its turn for ever.
      maxTotal: Math.max(MIN_REQUESTS, REQUESTS_PER_SOURCE * pull.maxActive),
    }),
  );
  const hub = own(new UpstreamHub({ client, pool, clock, logger, ...pull }));
  const runs = new SourceRuns<Upstream, RelayChannel>({
    openUpstream: (spec) => hub.open(spec),
    ...pullers(parts, neighbours, hosts),
    openFilm: async (source, user, signal) => {
      const { playlist, watch } = await films.start({ source, ...(user !== undefined && { user }) }, signal);
      return { playlist, watch };
    },
    openChannel: (name, upstream) => new RelayChannel({ name, upstream, signer, clock, logger }),
    isPlayable: (broadcast) => origin.isPlayable(broadcast),
    viewers: (broadcast) => origin.viewers.count(broadcast),
    ...{ clock, logger },
  });
  const sources = own(
    await Sources.open<RelayChannel>({
      entries: config.sources,
      file: path.join(dataDir, 'sources.json'),
      limits: pull,
      rules: { checkUrl: (url) => guard.checkUrl(url), checkHost: (host) => hosts.checkHost(host) },
      factory: runs,
      endBroadcast: (broadcast) => publishers.endPulled(broadcast),
      ...{ hide, clock, logger },
    }),
  );
  return { sources, figures: () => ({ ...sources.figures(), upstream: hub.stats(), pool: pool.stats }) };
}

/** What publishes a source, by the kind of what its address gives. */
function pullers(
  { config, clock, logger }: Parts,
  { binary, media: { keys }, publishers }: Neighbours,
  hosts: HostAllowList,
): Pick<LadderRunParts<Upstream>, 'pullPlaylists' | 'pullStream' | 'pullProtocol'> {
  const { failuresBeforeNext } = config.pull;
  const common = { gate: publishers.trusted, binary, burstMs: config.hls.segmentTargetMs, clock, logger };
  return {
    pullPlaylists: (upstream, target) => new LadderPull({ upstream, keys, ...target, ...common }),
    pullStream: (upstream, target) => new StreamPull({ feed: httpFeed(upstream), ...target, ...common }),
    pullProtocol: (urls, target) => {
      const feed = new ProtocolFeed({ urls, hosts, binary, clock, logger, failuresBeforeNext });
      return new StreamPull({ feed, ...target, ...common });
    },
  };
}
