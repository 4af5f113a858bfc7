import type { FastifyInstance } from 'fastify';
import { targetDurationSeconds } from '../hls/hls-options.ts';
import { type ArchivePlayback, archivePlaybackRoutes } from './archive-playback-routes.ts';
import { cachePolicy } from './cache-policy.ts';
import { LiveReplies, type PlaybackOrigin } from './live-replies.ts';
import { holdUntilBegun, type OnDemand } from './on-demand.ts';
import type { BroadcastParams, FileParams } from './playback-paths.ts';
import { playbackScope } from './playback-scope.ts';
import { type Stills, stillsRoutes } from './stills-routes.ts';

/** What the playback routes need. */
interface HlsRoutesOptions {
  readonly origin: PlaybackOrigin;
  /** Left out: there are no recordings. */
  readonly archives?: ArchivePlayback | undefined;
  /** Left out: there are no pictures. */
  readonly stills?: Stills | undefined;
  /** Left out: no broadcast begins because somebody asks for it. */
  readonly demand?: OnDemand | undefined;
  /** How far back the longest playlist reaches, ms; the live window is what it is at least. */
  readonly dvrMs?: number;
}

/**
 * Playback: `/hls/:app/:name/index.m3u8`, and below it `:rendition/video.m3u8`, `audio.m3u8`, `iframes.m3u8` and the media
 * that those name, `clip.m3u8`, recordings and pictures. Every answer carries CORS headers, failures included; no failure is
 * cached.
 */
export async function hlsRoutes(app: FastifyInstance, options: HlsRoutesOptions): Promise<void> {
  const entry = '/hls/APP/NAME/index.m3u8';
  await playbackScope(app, { prefix: '/hls', methods: 'GET, HEAD, OPTIONS', entry }, (scope) => {
    liveRoutes(scope, options);
    if (options.archives !== undefined) archivePlaybackRoutes(scope, options.archives);
    if (options.stills !== undefined) stillsRoutes(scope, options.stills);
  });
}

function liveRoutes(app: FastifyInstance, { origin, demand, dvrMs = 0 }: HlsRoutesOptions): void {
  const { windowSegments, segmentTargetMs } = origin.options;
  const targetSeconds = targetDurationSeconds(segmentTargetMs);
  const windowMs = Math.max(dvrMs, windowSegments * targetSeconds * 1000);
  const live = new LiveReplies(origin, cachePolicy({ targetDurationSeconds: targetSeconds, windowMs }));
  const options = demand === undefined ? {} : { onRequest: holdUntilBegun(demand) };

  app.get<{ Params: BroadcastParams }>('/:app/:name/index.m3u8', options, (request, reply) =>
    live.multivariant(request, reply),
  );

  app.get<{ Params: BroadcastParams }>('/:app/:name/clip.m3u8', (request, reply) => live.clip(request, reply));

  app.get<{ Params: FileParams }>('/:app/:name/:rendition/:file', options, (request, reply) => {
    const { file } = request.params;
    if (file === 'iframes.m3u8') live.iframes(request, reply);
    else if (file.endsWith('.m3u8')) live.playlist(request, reply);
    else live.media(request, reply);
  });
}
