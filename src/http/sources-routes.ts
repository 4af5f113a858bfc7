import { Type } from 'typebox';
import { SourceEntry } from '../config/source-entry.ts';
import type { SourceFigures } from '../observability/source-figures.ts';
import type { SourceEvent } from '../sources/source-events.ts';
import type { SourceView } from '../sources/source-view.ts';
import type { HttpApp } from './http-app.ts';
import { ErrorReply } from './schemas.ts';
import { PrefetchReply, SourceReply } from './source-schemas.ts';

/** Remote sources as admins see them. Everything throws or rejects with `AppError`. */
export interface RemoteSources {
  list(): SourceView[];
  view(name: string): SourceView;
  add(entry: SourceEntry): Promise<SourceView>;
  remove(name: string): Promise<void>;
  /** Calls at once with what is, later with what happens, until the returned function is called. */
  listen(listener: (event: SourceEvent) => void): () => void;
}

const tags = ['sources'];

const params = Type.Object({ name: Type.String() });

/** Registers, shows and forgets remote sources. */
export function sourcesRoutes(app: HttpApp, sources: RemoteSources): void {
  app.get(
    '/sources',
    { schema: { tags, summary: 'Remote sources', response: { 200: Type.Array(SourceReply), 401: ErrorReply } } },
    () => sources.list(),
  );

  app.post(
    '/sources',
    {
      schema: {
        tags,
        summary: 'Register a remote stream: it becomes a broadcast, or is relayed',
        description:
          'http(s): HLS or MPEG-TS, and what "allowPrivate" allows of private addresses; rtsp(s), srt and rtmp(s): hosts that ' +
          '"pull.allowHosts" lists. Several addresses take over from one another. It stays registered over restarts.',
        body: SourceEntry,
        response: {
          ...{ 201: SourceReply, 400: ErrorReply, 401: ErrorReply, 403: ErrorReply, 409: ErrorReply },
          ...{ 429: ErrorReply, 503: ErrorReply },
        },
      },
    },
    async ({ body }, reply) => {
      const view = await sources.add(body);
      void reply.code(201).header('location', `/api/v1/sources/${encodeURIComponent(view.name)}`);
      return view;
    },
  );

  app.get(
    '/sources/:name',
    {
      schema: {
        ...{ tags, summary: 'One remote source', params },
        response: { 200: SourceReply, 401: ErrorReply, 404: ErrorReply },
      },
    },
    (request) => sources.view(request.params.name),
  );

  app.delete(
    '/sources/:name',
    {
      schema: {
        ...{ tags, summary: 'Forget a remote source; its broadcast ends at once', params },
        description: 'Sources of the configuration cannot be deleted here.',
        response: { 204: Type.Null(), 401: ErrorReply, 404: ErrorReply, 409: ErrorReply, 503: ErrorReply },
      },
    },
    async (request, reply) => {
      await sources.remove(request.params.name);
      void reply.code(204);
      return null;
    },
  );
}

/** Tells how well what is fetched of all sources serves their players. */
export function prefetchRoutes(app: HttpApp, figures: () => SourceFigures): void {
  app.get(
    '/prefetch',
    {
      schema: {
        ...{ tags, summary: 'Segments that were fetched of all sources together' },
        response: { 200: PrefetchReply, 401: ErrorReply },
      },
    },
    () => {
      const { upstream, pool } = figures();
      const { hits, misses, prefetched, wastedBytes, fetchedBytes, retries, failures, bytes, diskBytes } = pool;
      const { upstreams, playlists, activePrefetchers: active } = upstream;
      return {
        ...{ active, hits, misses, prefetched, wastedBytes, fetchedBytes, retries, failures },
        ...{ memoryBytes: bytes, diskBytes, upstreams, playlists },
      };
    },
  );
}
