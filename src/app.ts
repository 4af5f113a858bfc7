import path from 'node:path';
import { openPorts, type ServerUrls } from './app/listeners.ts';
import { AdminToken } from './auth/admin-token.ts';
import { resolveSecrets, type Secrets } from './auth/secrets.ts';
import { ConfiguredStreamKeys } from './auth/stream-keys.ts';
import { onReaderError } from './broadcast/reader-errors.ts';
import { BroadcasterRegistry, type TrackDirectory } from './broadcast/registry.ts';
import { broadcastSettings } from './config/broadcast-settings.ts';
import { LiveStore } from './cache/live-store.ts';
import type { Config } from './config/schema.ts';
import { targetDurationSeconds } from './hls/hls-options.ts';
import { Archives } from './hls/archives.ts';
import { HlsOrigin } from './hls/hls-origin.ts';
import { SequenceStore } from './hls/sequence-store.ts';
import { hlsRoutes } from './http/hls-routes.ts';
import { stalledTimeoutMs } from './http/http-limits.ts';
import { Publishers } from './ingest/publishers.ts';
import { WsIngest } from './ingest/ws/ws-ingest.ts';
import { loadLadders } from './ladder/ladder.ts';
import { LadderStore } from './ladder/ladder-store.ts';
import type { BannerFacts } from './observability/banner.ts';
import { Metrics } from './observability/metrics.ts';
import { Scrubber } from './observability/scrubber.ts';
import { SlateEncoder } from './stills/slate-encoder.ts';
import { StillRenderer } from './stills/still-renderer.ts';
import { Stills } from './stills/stills.ts';
import { EncoderBroker } from './transcode/encoders.ts';
import { FfmpegFactory } from './transcode/ffmpeg/ffmpeg-factory.ts';
import { PassthroughFactory } from './transcode/passthrough.ts';
import { TranscodeRunner } from './transcode/runner.ts';
import { SharedAudioFactory } from './transcode/shared-audio.ts';
import { type Clock, systemClock } from './util/clock.ts';
import { type Closable, Closer } from './util/closer.ts';
import { reasonOf } from './util/errors.ts';
import type { Logger } from './util/logger.ts';

/** A running server: every part of it, composed. */
export interface RunningApp extends Closable, ServerUrls {
  /** What is on the air, for tools inside the process. */
  readonly directory: TrackDirectory;
  /** What a person at the terminal is told; holds the secrets that were made at this start. */
  readonly bannerFacts: BannerFacts;
}

/** Where the ready ladders are: `ladders/` beside `src/` and `dist/`. */
const READY_LADDERS = path.join(import.meta.dirname, '..', 'ladders');

/** Every segment of a slate has to begin with a keyframe, as those of its source did. */
const SLATE_KEYFRAME_EACH_MS = 2_000;

/**
 * Starts everything that the configuration asks for.
 * @throws AppError if something is in the way (a port in use, a bad ladder); what had started is closed again.
 */
export async function startApp(
  config: Config,
  logger: Logger,
  { clock = systemClock, scrubber = new Scrubber() }: { clock?: Clock; scrubber?: Scrubber } = {},
): Promise<RunningApp> {
  const closer = new Closer();
  try {
    const secrets = await resolveSecrets(config);
    scrubber.hide(secrets.adminToken, secrets.streamKey, ...config.streamKeys.map(({ key }) => key));
    return await compose({ config, secrets, logger, clock, closer });
  } catch (error) {
    await closer.close();
    throw error;
  }
}

interface Composition {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly closer: Closer;
}

/** Data flows from the bottom of this function to its top: publishers feed the registry, which feeds the rest. */
async function compose({ config, secrets, logger, clock, closer }: Composition): Promise<RunningApp> {
  const own = <T extends Closable>(child: T): T => {
    closer.add(() => child.close());
    return child;
  };
  closer.add(onReaderError((error) => logger.error({ reason: reasonOf(error) }, 'a reader of the registry failed')));

  const registry = new BroadcasterRegistry();
  const settings = broadcastSettings(config);
  const storage = await openStorage({ config, clock, logger, own });
  const origin = own(new HlsOrigin({ directory: registry, clock, logger, settings, options: config.hls, ...storage }));
  const ladders = await LadderStore.open({
    ladders: await loadLadders(config.ladders, READY_LADDERS),
    stateFile: path.join(config.dataDir, 'ladders.json'),
    logger,
  });
  const encoders = await EncoderBroker.open({ ffmpeg: config.ffmpeg ?? 'ffmpeg', logger });
  const ffmpeg = new FfmpegFactory({ encoders, clock, logger });
  const factories = [new PassthroughFactory(), new SharedAudioFactory(ffmpeg), ffmpeg];
  const runner = own(new TranscodeRunner({ registry, ladders, factories, clock, logger }));

  const keys = new ConfiguredStreamKeys({ globalKey: secrets.streamKey, entries: config.streamKeys, clock });
  const slates = new SlateEncoder({
    renderer: own(
      new StillRenderer({ binaryPath: encoders.binary.path, maxWaiting: 2 * config.publish.maxPublishers }),
    ),
    keyframeEachMs: Math.min(SLATE_KEYFRAME_EACH_MS, config.hls.segmentTargetMs),
  });
  const stills = own(
    new Stills({ keyframes: (broadcast) => origin.keyframes(broadcast), binaryPath: encoders.binary.path, clock }),
  );
  const publishers = own(new Publishers({ registry, keys, clock, logger, settings, slates, options: config.publish }));

  let unreadyReason: string | undefined = 'starting';
  const metrics = new Metrics({
    transcodes: () => runner.list(),
    publishers: () => publishers.list(),
    waiting: () => publishers.waiting().length,
    publisherReturns: () => publishers.returns,
    viewers: () => origin.describe().reduce((sum, { viewers }) => sum + viewers, 0),
    blockedRequests: () => origin.waitingRequests,
    renderedPlaylists: () => origin.renderedPlaylists,
  });
  const urls = await openPorts({
    ...{ config, clock, logger, closer, gate: publishers },
    websocket: new WsIngest({ gate: publishers, clock, logger }),
    stalledMs: stalledTimeoutMs(3_000 * targetDurationSeconds(config.hls.segmentTargetMs)),
    http: {
      ...{ logger, clock, ladders, directory: registry, publishers, runner, encoders, metrics, origin },
      viewers: origin.viewers,
      archives: storage.archives,
      adminToken: new AdminToken(secrets.adminToken),
      publicMetrics: config.publicMetrics,
      unreadyReason: () => unreadyReason,
      playback: (app) => hlsRoutes(app, { origin, stills, archives: storage.archives, dvrMs: longestDvrMs(config) }),
    },
  });
  unreadyReason = undefined;
  closer.add(() => (unreadyReason = 'shutting down'));
  return {
    ...urls,
    directory: registry,
    bannerFacts: { ...urls, newSecrets: newSecrets(secrets), secretsFile: secrets.file },
    close: () => closer.close(),
  };
}

/** What outlives segments in memory: older segments, recordings, and the numbers that playlists have used up. */
async function openStorage({
  config: { dataDir, hls, storage },
  clock,
  logger,
  own,
}: Pick<Composition, 'config' | 'clock' | 'logger'> & { own: <T extends Closable>(child: T) => T }) {
  const bytes = (megabytes: number): number => megabytes * 1024 * 1024;
  const within = (name: string): string => path.join(dataDir, name);
  return {
    store: own(
      await LiveStore.open({
        root: within('live'),
        maxBytes: bytes(storage.dvrMaxMb),
        maxBroadcastBytes: bytes(hls.dvrMaxMb),
        logger,
      }),
    ),
    archives: own(
      await Archives.open({ root: within('archives'), maxBytes: bytes(storage.archiveMaxMb), clock, logger }),
    ),
    sequences: own(await SequenceStore.open({ file: within('sequences.json'), clock, logger })),
  };
}

/** How far back the longest playlist of any broadcast may reach. */
function longestDvrMs({ hls, broadcasts }: Config): number {
  return Math.max(hls.dvrMs, ...broadcasts.map(({ dvrMs = 0 }) => dvrMs));
}

function newSecrets({ adminToken, streamKey, created }: Secrets): BannerFacts['newSecrets'] {
  return {
    ...(created.includes('adminToken') && { adminToken }),
    ...(created.includes('streamKey') && { streamKey }),
  };
}
