import type { FastifyReply, FastifyRequest } from 'fastify';
import { toError } from '../util/errors.ts';
import { clientSignal } from './client-signal.ts';
import { type BroadcastParams, broadcastOf } from './playback-paths.ts';

/** Broadcasts that begin when somebody asks for them. */
export interface OnDemand {
  /** Notes that somebody asks for a broadcast; true if `demand()` has to be waited for. */
  use(broadcast: string): boolean;
  /** Resolves when there is something to play: with a path if that is elsewhere. Rejects with `AppError`. */
  demand(broadcast: string, signal: AbortSignal): Promise<string | undefined>;
}

/** Paths of what begins a broadcast; media and pictures do not. */
const PLAYLIST = /\.m3u8(?:\?|$)/;

/** What holds a request for a playlist until its broadcast has begun; the others only keep it going. */
export function holdUntilBegun(
  onDemand: OnDemand,
): (request: FastifyRequest, reply: FastifyReply, next: (error?: Error) => void) => void {
  return (request, reply, next) => {
    const broadcast = broadcastOf(request.params as BroadcastParams);
    if (!onDemand.use(broadcast) || !PLAYLIST.test(request.url)) {
      next();
      return;
    }
    onDemand.demand(broadcast, clientSignal(reply)).then(
      (path) => {
        if (path === undefined) next();
        else void reply.header('cache-control', 'no-store').redirect(path, 307);
      },
      (error: unknown) => next(toError(error)),
    );
  };
}
