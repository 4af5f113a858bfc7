import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { HlsOrigin } from '../hls/hls-origin.ts';
import type { TrackKind } from '../media/fragment.ts';
import { AppError } from '../util/errors.ts';
import { sendMedia, sendPlaylist } from './hls-replies.ts';

/** What the playback routes need. */
interface HlsRoutesOptions {
  readonly origin: Pick<HlsOrigin, 'multivariant' | 'mediaPlaylist' | 'media' | 'viewers' | 'options'>;
}

interface BroadcastParams {
  readonly app: string;
  readonly name: string;
}

interface FileParams extends BroadcastParams {
  readonly rendition: string;
  readonly file: string;
}

/** Any page may play; nothing here depends on cookies. On every answer below `/hls/`. */
export const CORS_HEADERS = Object.freeze({
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'Content-Length, Content-Range, Content-Encoding, ETag, Date, Age',
});

const PREFLIGHT_HEADERS = Object.freeze({
  'access-control-allow-methods': 'GET, HEAD, OPTIONS',
  'access-control-allow-headers': 'Range, If-Range, If-None-Match, Authorization, Content-Type',
  'access-control-max-age': '86400',
});

/** Media may be cached for this much longer than it can be in a playlist. */
const EXTRA_CACHE_SECONDS = 60;

/**
 * Playback of live broadcasts: `/hls/:app/:name/index.m3u8`, and below it `:rendition/video.m3u8`, `audio.m3u8` and the
 * media that those name. Every answer carries CORS headers, failures included; no failure is cached.
 */
export async function hlsRoutes(app: FastifyInstance, options: HlsRoutesOptions): Promise<void> {
  await app.register(
    (scope, _, done) => {
      addRoutes(scope, options);
      done();
    },
    { prefix: '/hls' },
  );
}

function addRoutes(app: FastifyInstance, { origin }: HlsRoutesOptions): void {
  const { windowSegments, segmentTargetMs } = origin.options;
  const maxAgeSeconds = Math.round((windowSegments * segmentTargetMs) / 1000) + EXTRA_CACHE_SECONDS;

  app.addHook('onRequest', async (_, reply) => void reply.headers(CORS_HEADERS));
  app.addHook('onSend', async (_, reply) => {
    if (reply.statusCode >= 400) void reply.header('cache-control', 'no-store').removeHeader('etag');
  });

  app.get<{ Params: BroadcastParams }>('/:app/:name/index.m3u8', (request, reply) =>
    sendPlaylist(request, reply, origin.multivariant(broadcastOf(request.params))),
  );

  app.get<{ Params: FileParams }>('/:app/:name/:rendition/:file', (request, reply) => {
    const { rendition, file: name } = request.params;
    const broadcast = broadcastOf(request.params);
    const kind = kindOf(name);
    if (name.endsWith('.m3u8')) {
      const playlist = origin.mediaPlaylist(broadcast, rendition, kind);
      noteViewer(request, origin, broadcast);
      return sendPlaylist(request, reply, playlist);
    }
    const file = origin.media(broadcast, rendition, kind, name);
    return sendMedia(request, reply, { file, name, maxAgeSeconds });
  });

  app.options('/*', (_, reply) => reply.code(204).headers(PREFLIGHT_HEADERS).send());
  app.setNotFoundHandler(notFound);
}

function broadcastOf({ app, name }: BroadcastParams): string {
  return `${app}/${name}`;
}

/** @throws AppError `NOT_FOUND` for a name that no playlist or media has. */
function kindOf(name: string): TrackKind {
  const kind = /^(video|audio)(?:\.m3u8$|-)/.exec(name)?.[1];
  if (kind === 'video' || kind === 'audio') return kind;
  throw new AppError('NOT_FOUND', `there is no file ${JSON.stringify(name.slice(0, 100))}; see index.m3u8`);
}

function noteViewer(request: FastifyRequest, origin: HlsRoutesOptions['origin'], broadcast: string): void {
  origin.viewers.see(broadcast, request.ip, request.headers['user-agent'] ?? '');
}

function notFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = JSON.stringify(request.url.split('?')[0]?.slice(0, 100));
  const message = `there is no ${request.method} ${path}; see /hls/APP/NAME/index.m3u8`;
  return reply.code(404).send({ statusCode: 404, error: 'Not Found', code: 'NOT_FOUND', message });
}
