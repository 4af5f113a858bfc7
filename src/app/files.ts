import path from 'node:path';
import { findFfprobe } from '../ffmpeg/ffprobe.ts';
import type { LadderSource } from '../ladder/ladder-source.ts';
import type { FileFigures } from '../observability/file-figures.ts';
import { LoopbackRelay } from '../remote/loopback-relay.ts';
import { RemoteClient } from '../remote/remote-client.ts';
import type { EncoderBroker } from '../transcode/encoders.ts';
import { reasonOf } from '../util/errors.ts';
import { encodeProfile } from '../vod/encode/encode-profile.ts';
import { segmentDurations } from '../vod/encode/segment-durations.ts';
import { planRenditions } from '../vod/plan-renditions.ts';
import { RenditionPool } from '../vod/play/rendition-pool.ts';
import { VodSessions } from '../vod/session/vod-sessions.ts';
import { SourceResolver } from '../vod/source/source-resolver.ts';
import { TitleReader } from '../vod/source/title-reader.ts';
import { SubtitleStore } from '../vod/subtitles/subtitle-store.ts';
import type { Parts } from './parts.ts';
import type { RemoteMedia } from './remote-media.ts';
import type { Storage } from './storage.ts';

/** Files that may be played, and those who play them. */
export interface Files {
  readonly sessions: VodSessions;
  readonly sources: SourceResolver;
  figures(): FileFigures;
}

/** The ladder of files is the one that a broadcast of this name would get. */
const LADDER_NAME = 'vod/file';

interface Neighbours {
  readonly cache: Storage['cache'];
  readonly media: RemoteMedia;
  readonly encoders: EncoderBroker;
  readonly ladders: LadderSource;
}

/** Data flows from the bottom of this function to its top: sources become titles, those renditions, those sessions. */
export async function openFiles(
  { config, clock, logger, own }: Parts,
  { cache, media, encoders, ladders }: Neighbours,
): Promise<Files> {
  const { vod, dataDir, mediaRoots } = config;
  const { binary } = encoders;
  const onFailure = (detail: string): void => logger.info({ detail }, 'a remote source could not be fetched');
  const { guard, pool, keys } = media;
  const client = own(new RemoteClient({ guard, clock, onFailure }));
  const relay = own(new LoopbackRelay({ client, clock }));
  const sources = new SourceResolver({ mediaRoots, remote: { client, relay, pool, keys, clock } });
  const titles = own(
    new TitleReader({
      folder: path.join(dataDir, 'titles'),
      ffprobePath: await findFfprobe(binary.path),
      segmentTargetMs: vod.segmentTargetMs,
      logger,
    }),
  );
  const subtitles = own(
    await SubtitleStore.open({ cache, binary, folder: path.join(dataDir, 'subtitles'), clock, logger }),
  );
  const renditions = own(
    new RenditionPool({
      ...{ cache, binary, clock, logger },
      ...{ maxEncoders: vod.maxEncoders, aheadSegments: vod.aheadSegments, idleMs: vod.heartbeatMs },
      gate: (title, signal) => subtitles.complete(title, signal),
      onShortened: ({ source }, segments) => {
        const report = (error: unknown): void =>
          logger.warn({ source: source.label, reason: reasonOf(error) }, 'the end of a source was not kept');
        titles.shorten(source, segments).catch(report);
      },
    }),
  );
  const sessions = own(
    await VodSessions.open({
      deps: {
        ...{ sources, titles, pool: renditions, subtitles },
        plan: ({ title, audio, burn }) =>
          planRenditions({
            title,
            specs: ladders.renditionsFor(LADDER_NAME),
            choose: (spec) => encoders.choose(spec),
            ...(audio !== undefined && { audio }),
            ...(burn !== undefined && { burn }),
          }),
        segmentTicks: segmentDurations,
        fingerprint: (title, rendition) => JSON.stringify(encodeProfile(title, rendition, binary)),
      },
      file: path.join(dataDir, 'vod-sessions.json'),
      limits: vod,
      heartbeatMs: vod.heartbeatMs,
      ...{ clock, logger },
    }),
  );
  return { sessions, sources, figures: () => fileFigures(sessions, renditions) };
}

function fileFigures(sessions: VodSessions, pool: RenditionPool): FileFigures {
  const { running, waiting, headsStarted, headsFailed, segmentsEncoded, hits } = pool.report();
  return {
    activeSessions: sessions.figures().active,
    encodersRunning: running,
    encodersWaiting: waiting,
    encodersStarted: headsStarted,
    encodersFailed: headsFailed,
    segmentsEncoded,
    segmentHits: hits,
  };
}
