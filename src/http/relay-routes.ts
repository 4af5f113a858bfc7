import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { RelayChannel } from '../relay/relay-channel.ts';
import { SIGNATURE_PARAMETER, type UrlSigner } from '../relay/url-signer.ts';
import { type Clock, systemClock } from '../util/clock.ts';
import { AppError } from '../util/errors.ts';
import { cachePolicy } from './cache-policy.ts';
import { heldReply } from './held-reply.ts';
import { sendPlaylist } from './hls-replies.ts';
import { type Query, readDirectives } from './playback-query.ts';
import { playbackScope } from './playback-scope.ts';
import { sendRelayMedia, sendRelayPlaylist } from './relay-replies.ts';

/** What the relay routes need. */
interface RelayRoutesOptions {
  /**
   * The channel of a registered source; one on demand is started.
   * @throws AppError `NOT_FOUND` for any other name
   */
  readonly channel: (
    name: string,
    signal: AbortSignal,
  ) => Promise<Pick<RelayChannel, 'see' | 'multivariant' | 'playlist' | 'media'>>;
  /** The one that the channels sign with. */
  readonly signer: UrlSigner;
  /** Left out: the system's. */
  readonly clock?: Clock;
}

interface ChannelParams {
  readonly name: string;
}

interface FileParams extends ChannelParams {
  readonly rendition: string;
  readonly file: string;
}

const MULTIVARIANT_CACHE = cachePolicy({ targetDurationSeconds: 1, windowMs: 0 }).live;

/**
 * Playback of relayed sources: `/relay/:name/index.m3u8`, and below it only what the signed URIs in its playlists name. A
 * signature is looked at before anything is asked of the source, so that nobody starts one by guessing.
 */
export async function relayRoutes(app: FastifyInstance, options: RelayRoutesOptions): Promise<void> {
  const { signer, clock = systemClock } = options;
  const entry = '/relay/NAME/index.m3u8';
  await playbackScope(app, { prefix: '/relay', methods: 'GET, HEAD, OPTIONS', entry }, (scope) => {
    scope.addHook('onRequest', (_request, reply, next) => {
      // A stranger's bytes, under this server's address.
      void reply.header('x-content-type-options', 'nosniff');
      next();
    });

    scope.get<{ Params: ChannelParams }>('/:name/index.m3u8', (request, reply) =>
      heldReply(reply, async (signal) => {
        const channel = await options.channel(request.params.name, signal);
        channel.see(request.ip, userAgentOf(request));
        const playlist = await channel.multivariant(signal);
        return sendPlaylist(request, reply, { playlist, cache: MULTIVARIANT_CACHE });
      }),
    );

    scope.get<{ Params: FileParams }>('/:name/:rendition/:file', (request, reply) =>
      heldReply(reply, async (signal) => {
        const { name, rendition, file } = request.params;
        checkSignature(`${name}/${rendition}/${file}`, request, signer);
        const channel = await options.channel(name, signal);
        if (file !== 'index.m3u8') {
          const media = await channel.media(rendition, file, { viewer: viewerOf(request), signal });
          return sendRelayMedia(request, reply, { media, signal, clock });
        }
        const { position, fault } = readDirectives(request.query as Query);
        channel.see(request.ip, userAgentOf(request));
        const answer = await channel.playlist(rendition, { position, signal });
        if (fault !== undefined && !answer.ended) throw fault;
        return sendRelayPlaylist(request, reply, { answer, isBlocking: position !== undefined });
      }),
    );
  });
}

function checkSignature(path: string, { query }: FastifyRequest, signer: UrlSigner): void {
  const given = (query as Query)[SIGNATURE_PARAMETER];
  if (typeof given === 'string' && signer.isSigned(path, given)) return;
  throw new AppError('FORBIDDEN', 'this address was not given by a playlist of this server; load the playlist again');
}

function userAgentOf({ headers }: FastifyRequest): string {
  return (headers['user-agent'] ?? '').slice(0, 200);
}

/** Tells players apart by their connections: many of them may share an address, and each is at its own place. */
function viewerOf({ ip, socket }: FastifyRequest): string {
  return `${ip} ${socket.remotePort}`;
}
