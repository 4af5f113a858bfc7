import path from 'node:path';
import { openFiles } from './app/files.ts';
import { openPorts, type ServerUrls } from './app/listeners.ts';
import type { Parts } from './app/parts.ts';
import { openRemoteMedia } from './app/remote-media.ts';
import { openRemoteSources } from './app/remote-sources.ts';
import { openStorage, storageFigures } from './app/storage.ts';
import { AdminToken } from './auth/admin-token.ts';
import { resolveSecrets, type Secrets } from './auth/secrets.ts';
import { ConfiguredStreamKeys } from './auth/stream-keys.ts';
import { onReaderError } from './broadcast/reader-errors.ts';
import { BroadcasterRegistry, type TrackDirectory } from './broadcast/registry.ts';
import { broadcastSettings } from './config/broadcast-settings.ts';
import { FolderLock } from './cache/folder-lock.ts';
import type { Config } from './config/schema.ts';
import { targetDurationSeconds } from './hls/hls-options.ts';
import { HlsOrigin } from './hls/hls-origin.ts';
import { hlsRoutes } from './http/hls-routes.ts';
import { stalledTimeoutMs } from './http/http-limits.ts';
import { relayRoutes } from './http/relay-routes.ts';
import { Publishers } from './ingest/publishers.ts';
import { WsIngest } from './ingest/ws/ws-ingest.ts';
import { loadLadders } from './ladder/ladder.ts';
import { LadderStore } from './ladder/ladder-store.ts';
import type { BannerFacts } from './observability/banner.ts';
import { Metrics } from './observability/metrics.ts';
import { Scrubber } from './observability/scrubber.ts';
import { UrlSigner } from './relay/url-signer.ts';
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
import { VOD_HOLD_MS } from './vod/session/hold.ts';

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
  const own = <T extends Closable>(part: T): T => {
    closer.add(() => part.close());
    return part;
  };
  try {
    const lock = own(await FolderLock.acquire(config.dataDir));
    const secrets = await resolveSecrets(config);
    scrubber.hide(secrets.adminToken, secrets.streamKey, secrets.urlSecret, ...config.streamKeys.map(({ key }) => key));
    const hide = (...found: string[]): (() => void) => scrubber.hide(...found);
    const app = await compose({ config, secrets, hide, logger, clock, closer, own });
    lock.setInfo({ pid: process.pid, httpUrl: app.httpUrl });
    return app;
  } catch (error) {
    await closer.close();
    throw error;
  }
}

interface Composition extends Parts {
  readonly secrets: Secrets;
  /** Takes what must not be seen in logs; what it returns takes that back. */
  readonly hide: (...secrets: string[]) => () => void;
  readonly closer: Closer;
}

/** Data flows from the bottom of this function to its top: publishers feed the registry, which feeds the rest. */
async function compose(parts: Composition): Promise<RunningApp> {
  const { config, secrets, hide, logger, clock, closer, own } = parts;
  closer.add(onReaderError((error) => logger.error({ reason: reasonOf(error) }, 'a reader of the registry failed')));

  const registry = new BroadcasterRegistry();
  const settings = broadcastSettings(config);
  const storage = await openStorage(parts);
  const { store, archives, sequences, cache } = storage;
  const origin = own(
    new HlsOrigin({
      ...{ directory: registry, clock, logger, settings, options: config.hls },
      ...{ store, archives, sequences },
    }),
  );
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
  const media = await openRemoteMedia(parts, storage.budget);
  const files = await openFiles(parts, { cache, media, encoders, ladders });
  const publishers = own(new Publishers({ registry, keys, clock, logger, settings, slates, options: config.publish }));

  const signer = new UrlSigner(secrets.urlSecret);
  const remote = await openRemoteSources(parts, {
    ...{ media, publishers, origin, signer, hide },
    ...{ binary: encoders.binary, films: files.sessions },
  });

  let unreadyReason: string | undefined = 'starting';
  const metrics = new Metrics({
    transcodes: () => runner.list(),
    publishers: () => publishers.list(),
    waiting: () => publishers.waiting().length,
    publisherReturns: () => publishers.returns,
    viewers: () => origin.describe().reduce((sum, { viewers }) => sum + viewers, 0),
    blockedRequests: () => origin.waitingRequests,
    renderedPlaylists: () => origin.renderedPlaylists,
    files: () => files.figures(),
    storage: () => storageFigures(storage),
    remote: () => remote.figures(),
  });
  const urls = await openPorts({
    ...{ config, clock, logger, closer, gate: publishers },
    websocket: new WsIngest({ gate: publishers, clock, logger }),
    stalledMs: stalledTimeoutMs(Math.max(VOD_HOLD_MS, 3_000 * targetDurationSeconds(config.hls.segmentTargetMs))),
    http: {
      ...{ logger, clock, ladders, directory: registry, publishers, runner, encoders, metrics, origin },
      ...{ viewers: origin.viewers, archives, vod: files.sessions, media: files.sources, segmentCache: cache },
      ...{ sources: remote.sources, sourceFigures: () => remote.figures() },
      adminToken: new AdminToken(secrets.adminToken),
      publicMetrics: config.publicMetrics,
      unreadyReason: () => unreadyReason,
      playback: async (app) => {
        await hlsRoutes(app, { origin, stills, archives, dvrMs: longestDvrMs(config), demand: remote.sources });
        await relayRoutes(app, { channel: (name, signal) => remote.sources.relay(name, signal), signer });
      },
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
