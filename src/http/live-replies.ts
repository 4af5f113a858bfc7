import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HlsOptions } from '../hls/hls-options.ts';
import type { Answer, BlockingOrigin, PlaylistView } from '../hls/playback.ts';
import type { RenderedPlaylist } from '../hls/rendered-playlist.ts';
import type { DateSpan } from '../hls/vod-row.ts';
import type { TrackKind } from '../media/fragment.ts';
import { AppError, toError } from '../util/errors.ts';
import type { CachePolicy } from './cache-policy.ts';
import { sendMedia, sendPlaylist } from './hls-replies.ts';
import { type BroadcastParams, broadcastOf, type FileParams, kindOf } from './playback-paths.ts';
import { type Query, readClip, readDirectives } from './playback-query.ts';
import { RequestSignal } from './request-signal.ts';

/** Live playback as the packager gives it. All but the two blocking ones throw `AppError`. */
export interface PlaybackOrigin extends BlockingOrigin {
  readonly options: Pick<HlsOptions, 'windowSegments' | 'segmentTargetMs'>;
  readonly viewers: { see(broadcast: string, address: string, userAgent: string): void };
  multivariant(broadcast: string, window?: PlaylistView['window']): RenderedPlaylist;
  iframes(broadcast: string, rendition: string, window?: PlaylistView['window']): RenderedPlaylist;
  clipMultivariant(broadcast: string, span: DateSpan): RenderedPlaylist;
  clip(broadcast: string, rendition: string, track: TrackKind | 'iframes', span: DateSpan): RenderedPlaylist;
}

type BroadcastRequest = FastifyRequest<{ Params: BroadcastParams }>;
type FileRequest = FastifyRequest<{ Params: FileParams }>;

/** Answers requests for live playback, some of them later. */
export class LiveReplies {
  readonly #origin: PlaybackOrigin;
  readonly #cache: CachePolicy;

  constructor(origin: PlaybackOrigin, cache: CachePolicy) {
    this.#origin = origin;
    this.#cache = cache;
  }

  /** The multivariant playlist. */
  multivariant(request: BroadcastRequest, reply: FastifyReply): void {
    const { view } = readDirectives(request.query as Query);
    const playlist = this.#origin.multivariant(broadcastOf(request.params), view.window);
    sendPlaylist(request, reply, { playlist, cache: this.#cache.live });
  }

  /** The multivariant playlist of a clip. */
  clip(request: BroadcastRequest, reply: FastifyReply): void {
    const span = readClip(request.query as Query);
    if (span === undefined) throw new AppError('BAD_REQUEST', 'a clip needs start and end, both dates');
    const playlist = this.#origin.clipMultivariant(broadcastOf(request.params), span);
    sendPlaylist(request, reply, { playlist, cache: this.#cache.live });
  }

  /** A media playlist: of a clip, or the live one, now or when it has what the client waits for. */
  playlist(request: FileRequest, reply: FastifyReply): void {
    const { rendition, file } = request.params;
    const broadcast = broadcastOf(request.params);
    const span = readClip(request.query as Query);
    if (span === undefined) {
      this.#blocking(request, reply);
    } else {
      const playlist = this.#origin.clip(broadcast, rendition, kindOf(file), span);
      sendPlaylist(request, reply, { playlist, cache: this.#cache.live });
    }
  }

  /** An I-frame playlist: the live one, or that of a clip. */
  iframes(request: FileRequest, reply: FastifyReply): void {
    const broadcast = broadcastOf(request.params);
    const { rendition } = request.params;
    const { view } = readDirectives(request.query as Query);
    const span = readClip(request.query as Query);
    const playlist =
      span === undefined
        ? this.#origin.iframes(broadcast, rendition, view.window)
        : this.#origin.clip(broadcast, rendition, 'iframes', span);
    sendPlaylist(request, reply, { playlist, cache: this.#cache.live });
  }

  /** An init, a segment or a part; the part that a playlist hints at as soon as it is whole. */
  media(request: FileRequest, reply: FastifyReply): void {
    const { rendition, file: name } = request.params;
    const broadcast = broadcastOf(request.params);
    this.#origin.requestMedia(
      { broadcast, rendition, track: kindOf(name), file: name, signal: new RequestSignal(request) },
      answering(reply, (file) => sendMedia(request, reply, { file, name, cache: this.#cache.liveMedia })),
    );
  }

  #blocking(request: FileRequest, reply: FastifyReply): void {
    const { rendition, file } = request.params;
    const broadcast = broadcastOf(request.params);
    const { view, position, fault } = readDirectives(request.query as Query);
    this.#origin.requestPlaylist(
      { broadcast, rendition, track: kindOf(file), view, position, signal: new RequestSignal(request) },
      answering(reply, (playlist) => {
        const ended = isEnded(playlist);
        if (fault !== undefined && !ended) throw fault;
        this.#origin.viewers.see(broadcast, request.ip, request.headers['user-agent'] ?? '');
        const cache = ended ? this.#cache.ended : position === undefined ? this.#cache.live : this.#cache.blocking;
        sendPlaylist(request, reply, { playlist, cache });
      }),
    );
  }
}

/** An answer that never throws: the origin gives it to many clients in a row. */
function answering<T>(reply: FastifyReply, send: (result: T) => unknown): Answer<T> {
  const fail = (error: unknown): void => void reply.send(toError(error));
  return (result) => {
    if (result instanceof AppError) {
      fail(result);
      return;
    }
    try {
      const sent = send(result);
      if (sent instanceof Promise) sent.catch(fail);
    } catch (error) {
      fail(error);
    }
  };
}

const endedByPlaylist = new WeakMap<RenderedPlaylist, boolean>();

function isEnded(playlist: RenderedPlaylist): boolean {
  const known = endedByPlaylist.get(playlist);
  if (known !== undefined) return known;
  const ended = playlist.plain.includes('\n#EXT-X-ENDLIST');
  endedByPlaylist.set(playlist, ended);
  return ended;
}
