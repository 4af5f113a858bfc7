import { Type } from 'typebox';
import type { LadderStore } from '../ladder/ladder-store.ts';
import { RenditionSpec } from '../ladder/rendition.ts';
import type { HttpApp } from './http-app.ts';
import { ErrorReply, LadderQuery, RenditionReply } from './schemas.ts';

const tags = ['renditions'];

/** Lists, adds and removes rungs, while streams run. */
export function renditionsRoutes(app: HttpApp, ladders: LadderStore): void {
  app.get(
    '/renditions',
    { schema: { tags, summary: 'Rungs of all ladders', response: { 200: Type.Array(RenditionReply) } } },
    () => ladders.list().flatMap(({ name, renditions }) => renditions.map((spec) => ({ ladder: name, ...spec }))),
  );

  app.post(
    '/renditions',
    {
      schema: {
        tags,
        summary: 'Add a rung; it starts on every live broadcast of its ladder',
        body: RenditionSpec,
        querystring: LadderQuery,
        response: { 201: RenditionReply, 400: ErrorReply, 401: ErrorReply, 404: ErrorReply, 409: ErrorReply },
      },
    },
    async (request, reply) => {
      const ladder = request.query.ladder ?? ladders.list()[0]?.name ?? '';
      const spec = await ladders.add(request.body, ladder);
      return reply.code(201).send({ ladder, ...spec });
    },
  );

  app.delete(
    '/renditions/:name',
    {
      schema: {
        tags,
        summary: 'Remove a rung; its encoders stop at once',
        params: Type.Object({ name: Type.String() }),
        querystring: LadderQuery,
        response: { 204: Type.Null(), 401: ErrorReply, 404: ErrorReply, 409: ErrorReply },
      },
    },
    async (request, reply) => {
      await ladders.remove(request.params.name, request.query.ladder);
      return reply.code(204).send(null);
    },
  );
}
