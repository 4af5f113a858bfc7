import { Type } from 'typebox';
import { AppError } from '../util/errors.ts';
import { viewBroadcasts } from './broadcast-view.ts';
import type { HttpDeps } from './deps.ts';
import type { HttpApp } from './http-app.ts';
import { BroadcastParams, BroadcastReply, ErrorReply } from './schemas.ts';

const tags = ['broadcasts'];

/** Shows broadcasts, and ends them. */
export function broadcastsRoutes(app: HttpApp, deps: HttpDeps): void {
  app.get(
    '/broadcasts',
    { schema: { tags, summary: 'Broadcasts that can be played', response: { 200: Type.Array(BroadcastReply) } } },
    () => viewBroadcasts(deps),
  );

  app.get(
    '/broadcasts/:app/:name',
    {
      schema: {
        tags,
        summary: 'One broadcast',
        params: BroadcastParams,
        response: { 200: BroadcastReply, 404: ErrorReply },
      },
    },
    ({ params }) => {
      const name = `${params.app}/${params.name}`;
      const found = viewBroadcasts(deps).find((broadcast) => broadcast.name === name);
      if (found === undefined) throw notFound(name);
      return found;
    },
  );

  app.delete(
    '/broadcasts/:app/:name',
    {
      schema: {
        tags,
        summary: 'End a broadcast at once, also one that waits for its publisher; it may be published again',
        params: BroadcastParams,
        response: { 204: Type.Null(), 404: ErrorReply },
      },
    },
    ({ params }, reply) => {
      const name = `${params.app}/${params.name}`;
      if (!deps.publishers.kick(name)) throw notFound(name);
      void reply.code(204);
      return null;
    },
  );
}

function notFound(name: string): AppError {
  return new AppError('NOT_FOUND', `there is no live broadcast ${JSON.stringify(name.slice(0, 100))}`);
}
