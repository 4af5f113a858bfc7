import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { MediaFile } from '../hls/media-file.ts';
import type { RenderedPlaylist } from '../hls/rendered-playlist.ts';
import type { DateSpan } from '../hls/vod-row.ts';
import type { TrackKind } from '../media/fragment.ts';
import { AppError } from '../util/errors.ts';
import { VOD_CACHE, VOD_MEDIA_CACHE } from './cache-policy.ts';
import { sendMedia, sendPlaylist } from './hls-replies.ts';
import { type BroadcastParams, broadcastOf, type FileParams, kindOf } from './playback-paths.ts';
import { type Query, readClip } from './playback-query.ts';

/** Playback of recordings. Everything rejects with `AppError`. */
export interface ArchivePlayback {
  find(id: string): { readonly broadcast: string } | undefined;
  multivariant(id: string, span?: DateSpan): Promise<RenderedPlaylist>;
  mediaPlaylist(id: string, rendition: string, track: TrackKind, span?: DateSpan): Promise<RenderedPlaylist>;
  iframes(id: string, rendition: string, span?: DateSpan): Promise<RenderedPlaylist>;
  media(id: string, rendition: string, file: string): Promise<MediaFile>;
}

interface ArchiveParams extends BroadcastParams {
  readonly id: string;
}

type ArchiveFileParams = ArchiveParams & FileParams;

/**
 * Playback of recordings: `/:app/:name/archives/:id/index.m3u8`, and below it the same files as live; `start` and `end`
 * make a clip of it.
 */
export function archivePlaybackRoutes(app: FastifyInstance, archives: ArchivePlayback): void {
  const root = '/:app/:name/archives/:id';

  const multivariant = async (request: FastifyRequest<{ Params: ArchiveParams }>, reply: FastifyReply) => {
    const id = idOf(archives, request.params);
    const playlist = await archives.multivariant(id, readClip(request.query as Query));
    return sendPlaylist(request, reply, { playlist, cache: VOD_CACHE });
  };
  app.get<{ Params: ArchiveParams }>(`${root}/index.m3u8`, multivariant);
  app.get<{ Params: ArchiveParams }>(`${root}/clip.m3u8`, multivariant);

  app.get<{ Params: ArchiveFileParams }>(`${root}/:rendition/:file`, async (request, reply) => {
    const { rendition, file: name } = request.params;
    const id = idOf(archives, request.params);
    if (!name.endsWith('.m3u8')) {
      const file = await archives.media(id, rendition, name);
      return sendMedia(request, reply, { file, name, cache: VOD_MEDIA_CACHE });
    }
    const span = readClip(request.query as Query);
    const playlist =
      name === 'iframes.m3u8'
        ? await archives.iframes(id, rendition, span)
        : await archives.mediaPlaylist(id, rendition, kindOf(name), span);
    return sendPlaylist(request, reply, { playlist, cache: VOD_CACHE });
  });
}

/** A recording is found below its own broadcast only: whoever guards one by its path guards its recordings too. */
function idOf(archives: ArchivePlayback, params: ArchiveParams): string {
  if (archives.find(params.id)?.broadcast === broadcastOf(params)) return params.id;
  const name = JSON.stringify(broadcastOf(params).slice(0, 100));
  throw new AppError('NOT_FOUND', `broadcast ${name} has no recording ${JSON.stringify(params.id.slice(0, 100))}`);
}
