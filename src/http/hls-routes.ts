import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { targetDurationSeconds } from '../hls/hls-options.ts';
import { type ArchivePlayback, archivePlaybackRoutes } from './archive-playback-routes.ts';
import { cachePolicy } from './cache-policy.ts';
import { LiveReplies, type PlaybackOrigin } from './live-replies.ts';
import type { BroadcastParams, FileParams } from './playback-paths.ts';
import { type Stills, stillsRoutes } from './stills-routes.ts';

/** What the playback routes need. */
interface HlsRoutesOptions {
  readonly origin: PlaybackOrigin;
  /** Left out: there are no recordings. */
  readonly archives?: ArchivePlayback | undefined;
  /** Left out: there are no pictures. */
  readonly stills?: Stills | undefined;
  /** How far back the longest playlist reaches, ms; the live window is what it is at least. */
  readonly dvrMs?: number;
}

/** Any page may play; nothing here depends on cookies. On every answer below `/hls/`. */
export const CORS_HEADERS = Object.freeze({
  'access-control-allow-origin': '*',
  'access-control-expose-headers':
    'Content-Length, Content-Range, Content-Encoding, Accept-Ranges, ETag, Date, Age, Retry-After',
});

const PREFLIGHT_HEADERS = Object.freeze({
  'access-control-allow-methods': 'GET, HEAD, OPTIONS',
  'access-control-allow-headers': 'Range, If-Range, If-None-Match, Authorization, Content-Type',
  'access-control-max-age': '86400',
});

/** Seconds after which a client that was told 503 may ask again. */
const RETRY_AFTER = '1';

/**
 * Playback: `/hls/:app/:name/index.m3u8`, and below it `:rendition/video.m3u8`, `audio.m3u8`, `iframes.m3u8` and the media
 * that those name, `clip.m3u8`, recordings and pictures. Every answer carries CORS headers, failures included; no failure is
 * cached.
 */
export async function hlsRoutes(app: FastifyInstance, options: HlsRoutesOptions): Promise<void> {
  await app.register(
    (scope, _, done) => {
      scope.addHook('onRequest', (_request, reply, next) => {
        void reply.headers(CORS_HEADERS);
        next();
      });
      scope.addHook('onSend', (_request, reply, _payload, next) => {
        if (reply.statusCode >= 400) void reply.header('cache-control', 'no-store').removeHeader('etag');
        if (reply.statusCode === 503) void reply.header('retry-after', RETRY_AFTER);
        next();
      });
      liveRoutes(scope, options);
      if (options.archives !== undefined) archivePlaybackRoutes(scope, options.archives);
      if (options.stills !== undefined) stillsRoutes(scope, options.stills);
      scope.options('/*', (_request, reply) => reply.code(204).headers(PREFLIGHT_HEADERS).send());
      scope.setNotFoundHandler(notFound);
      done();
    },
    { prefix: '/hls' },
  );
}

function liveRoutes(app: FastifyInstance, { origin, dvrMs = 0 }: HlsRoutesOptions): void {
  const { windowSegments, segmentTargetMs } = origin.options;
  const targetSeconds = targetDurationSeconds(segmentTargetMs);
  const windowMs = Math.max(dvrMs, windowSegments * targetSeconds * 1000);
  const live = new LiveReplies(origin, cachePolicy({ targetDurationSeconds: targetSeconds, windowMs }));

  app.get<{ Params: BroadcastParams }>('/:app/:name/index.m3u8', (request, reply) => live.multivariant(request, reply));

  app.get<{ Params: BroadcastParams }>('/:app/:name/clip.m3u8', (request, reply) => live.clip(request, reply));

  app.get<{ Params: FileParams }>('/:app/:name/:rendition/:file', (request, reply) => {
    const { file } = request.params;
    if (file === 'iframes.m3u8') live.iframes(request, reply);
    else if (file.endsWith('.m3u8')) live.playlist(request, reply);
    else live.media(request, reply);
  });
}

function notFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = JSON.stringify(request.url.split('?')[0]?.slice(0, 100));
  const message = `there is no ${request.method} ${path}; see /hls/APP/NAME/index.m3u8`;
  return reply.code(404).send({ statusCode: 404, error: 'Not Found', code: 'NOT_FOUND', message });
}
