import { Type } from 'typebox';
import { AppError } from '../util/errors.ts';
import type { HttpDeps } from './deps.ts';
import type { HttpApp } from './http-app.ts';
import { ArchiveReply, ErrorReply } from './schemas.ts';

const tags = ['archives'];

/** Lists and deletes recordings. */
export function archivesRoutes(app: HttpApp, { archives }: Pick<HttpDeps, 'archives'>): void {
  app.get(
    '/archives',
    { schema: { tags, summary: 'Recordings, newest first', response: { 200: Type.Array(ArchiveReply) } } },
    () => (archives?.list() ?? []).map((row) => ({ ...row, renditions: [...row.renditions] })),
  );

  app.delete(
    '/archives/:id',
    {
      schema: {
        tags,
        summary: 'Delete a recording for good',
        params: Type.Object({ id: Type.String() }),
        response: { 204: Type.Null(), 401: ErrorReply, 404: ErrorReply },
      },
    },
    async ({ params: { id } }, reply) => {
      if ((await archives?.delete(id)) === true) return reply.code(204).send(null);
      throw new AppError('NOT_FOUND', `there is no recording ${JSON.stringify(id)}; GET /api/v1/archives lists them`);
    },
  );
}
