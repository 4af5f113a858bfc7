import type { FastifyInstance } from 'fastify';
import type { AdminToken } from '../auth/admin-token.ts';
import type { TrackDirectory } from '../broadcast/registry.ts';
import type { PublisherRow, WaitingRow } from '../ingest/broadcast-source.ts';
import type { LadderStore } from '../ladder/ladder-store.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { SourceFigures } from '../observability/source-figures.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { MediaFolders, SegmentCacheAdmin } from './files-routes.ts';
import type { ArchiveReply, EncodersReply, RungReply, TranscodeReply } from './schemas.ts';
import type { RemoteSources } from './sources-routes.ts';
import type { FileSessions } from './vod-routes.ts';

/** What the packager tells of one broadcast. */
export interface PackagedBroadcast {
  /** `app/name`. */
  readonly broadcast: string;
  readonly renditions: readonly RungReply[];
  /** What the streamer should change. */
  readonly warnings: readonly string[];
  /** Id of the recording that stays of it. */
  readonly archive?: string;
}

/** Everything that the HTTP server shows and calls; made by the composition root. */
export interface HttpDeps {
  readonly logger: Logger;
  /** Left out: the system's. */
  readonly clock?: Clock;
  readonly adminToken: AdminToken;
  readonly ladders: LadderStore;
  readonly directory: Pick<TrackDirectory, 'list'>;
  readonly publishers: {
    list(): readonly PublisherRow[];
    /** Broadcasts that wait for their publisher to come back. */
    waiting(): readonly WaitingRow[];
    /** Ends a broadcast at once; false if it neither is live nor waits. */
    kick(broadcast: string): boolean;
  };
  readonly runner: { list(): readonly TranscodeReply[] };
  readonly origin: {
    /** All packaged broadcasts, those that ended a moment ago included. */
    describe(): readonly PackagedBroadcast[];
  };
  readonly viewers: {
    /** Clients that asked for a playlist of the broadcast within the last seconds. */
    count(broadcast: string): number;
  };
  /** Left out: nothing is recorded. */
  readonly archives?: {
    /** Newest first. */
    list(): readonly Readonly<Omit<ArchiveReply, 'renditions'> & { readonly renditions: readonly string[] }>[];
    /** Resolves when it has gone; false if there is none of this id. */
    delete(id: string): Promise<boolean>;
  };
  /** Left out: no files are played. */
  readonly vod?: FileSessions;
  readonly media?: MediaFolders;
  readonly segmentCache?: SegmentCacheAdmin;
  /** Left out: nothing is pulled from elsewhere. */
  readonly sources?: RemoteSources;
  readonly sourceFigures?: () => SourceFigures;
  readonly encoders: { report(): EncodersReply | Promise<EncodersReply> };
  readonly metrics: Pick<Metrics, 'render'>;
  /** Whether `/metrics` answers without the admin token. */
  readonly publicMetrics: boolean;
  /** Why the server is not ready to take streams, `undefined` once it is. */
  readonly unreadyReason: () => string | undefined;
  /** Registers the playback routes of broadcasts (`/hls/…`) with their own CORS and caching. */
  readonly playback: (app: FastifyInstance) => void | Promise<void>;
}
