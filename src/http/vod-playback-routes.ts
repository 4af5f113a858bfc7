import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { MediaFile } from '../hls/media-file.ts';
import type { RenderedPlaylist } from '../hls/rendered-playlist.ts';
import type { PlaybackInfo } from '../vod/session/session-view.ts';
import type { MediaRequest } from '../vod/session/title-playback.ts';
import { AppError } from '../util/errors.ts';
import { FILE_PLAYLIST_CACHE, FILE_SUBTITLE_CACHE, VOD_MEDIA_CACHE } from './cache-policy.ts';
import { heldReply } from './held-reply.ts';
import { sendMedia, sendPlaylist } from './hls-replies.ts';
import { playbackScope } from './playback-scope.ts';
import type { Query } from './playback-query.ts';

/** Playback of files, by the id of a session. Everything rejects with `AppError`; what is awaited ends with `signal`. */
export interface FilePlayback {
  info(id: string, signal: AbortSignal): Promise<PlaybackInfo>;
  multivariant(id: string, signal: AbortSignal): Promise<RenderedPlaylist>;
  mediaPlaylist(id: string, rendition: string, signal: AbortSignal): Promise<RenderedPlaylist>;
  media(id: string, request: MediaRequest, signal: AbortSignal): Promise<MediaFile>;
  heartbeat(id: string, positionMs: number | undefined, signal: AbortSignal): Promise<{ positionMs: number }>;
}

interface SessionParams {
  readonly id: string;
}

interface FileParams extends SessionParams {
  readonly rendition: string;
  readonly file: string;
}

/** Body of a heartbeat; it may be left out. */
export const HeartbeatBody = Type.Union([
  Type.Null(),
  Type.Object(
    { positionMs: Type.Optional(Type.Integer({ minimum: 0, description: 'Where the player is' })) },
    { additionalProperties: false },
  ),
]);

/**
 * Playback of files: `/vod/:id` for the page, `/vod/:id/index.m3u8` and what that names for players, and heartbeats. Whoever
 * knows the id may play.
 */
export async function vodPlaybackRoutes(app: FastifyInstance, files: FilePlayback): Promise<void> {
  const entry = '/vod/ID/index.m3u8';
  await playbackScope(app, { prefix: '/vod', methods: 'GET, HEAD, POST, OPTIONS', entry }, (scope) => {
    scope.get<{ Params: SessionParams }>('/:id', (request, reply) =>
      heldReply(reply, async (signal) => {
        const info = await files.info(request.params.id, signal);
        return reply.header('cache-control', 'no-store').send(info);
      }),
    );

    scope.get<{ Params: SessionParams }>('/:id/index.m3u8', (request, reply) =>
      heldReply(reply, async (signal) => {
        const playlist = await files.multivariant(request.params.id, signal);
        return sendPlaylist(request, reply, { playlist, cache: FILE_PLAYLIST_CACHE });
      }),
    );

    scope.get<{ Params: FileParams }>('/:id/:rendition/:file', (request, reply) =>
      heldReply(reply, (signal) => sendFile(request, reply, { files, signal })),
    );

    scope.post<{ Params: SessionParams; Body: { positionMs?: number } | null }>(
      '/:id/heartbeat',
      { schema: { body: HeartbeatBody } },
      (request, reply) =>
        heldReply(reply, async (signal) => {
          const { params, body } = request;
          const answer = await files.heartbeat(params.id, body?.positionMs, signal);
          return reply.header('cache-control', 'no-store').send(answer);
        }),
    );
  });
}

async function sendFile(
  request: FastifyRequest<{ Params: FileParams }>,
  reply: FastifyReply,
  { files, signal }: { files: FilePlayback; signal: AbortSignal },
): Promise<FastifyReply> {
  const { id, rendition, file: name } = request.params;
  if (name === 'index.m3u8') {
    const playlist = await files.mediaPlaylist(id, rendition, signal);
    return sendPlaylist(request, reply, { playlist, cache: FILE_PLAYLIST_CACHE });
  }
  const version = readVersion(request.query as Query);
  const file = await files.media(id, { rendition, file: name, version }, signal);
  const cache = name.endsWith('.vtt') ? FILE_SUBTITLE_CACHE : VOD_MEDIA_CACHE;
  return sendMedia(request, reply, { file, name: entityName(name, version, file), cache });
}

/** A segment that had to be encoded again need not have the same bytes, so its name alone is no entity tag. */
function entityName(name: string, version: string | undefined, file: MediaFile): string {
  const size = 'bytes' in file ? file.bytes.length : file.size;
  return [name, version, size.toString(36)].filter((part) => part !== undefined).join('-');
}

/** What a playlist says of its media's version; whatever else it is, it is none. */
function readVersion({ v }: Query): string | undefined {
  if (v === undefined) return undefined;
  if (typeof v === 'string' && /^[A-Za-z0-9_-]{1,32}$/.test(v)) return v;
  throw new AppError('BAD_REQUEST', 'the parameter v is not what a playlist gave; load the playlist again');
}
