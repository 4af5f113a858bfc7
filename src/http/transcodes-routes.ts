import { Type } from 'typebox';
import type { HttpDeps } from './deps.ts';
import type { HttpApp } from './http-app.ts';
import { EncodersReply, TranscodeReply } from './schemas.ts';

const tags = ['transcodes'];

/** Shows what the runner does, and which encoders this machine has. */
export function transcodesRoutes(app: HttpApp, { runner, encoders }: Pick<HttpDeps, 'runner' | 'encoders'>): void {
  app.get(
    '/transcodes',
    {
      schema: {
        tags,
        summary: 'One row per (factory, rendition, broadcast, track); counters outlive the task',
        response: { 200: Type.Array(TranscodeReply) },
      },
    },
    () => [...runner.list()],
  );

  app.get(
    '/encoders',
    { schema: { tags, summary: 'Video encoders, and why each one works or not', response: { 200: EncodersReply } } },
    () => encoders.report(),
  );
}
