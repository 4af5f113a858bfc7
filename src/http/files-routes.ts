import { Type } from 'typebox';
import type { CacheReport } from '../cache/cache-report.ts';
import { AppError } from '../util/errors.ts';
import type { MediaListing } from '../vod/source/media-listing.ts';
import type { HttpApp } from './http-app.ts';
import { ErrorReply } from './schemas.ts';
import { MediaReply } from './vod-schemas.ts';

/** The folders that files may be played from. */
export interface MediaFolders {
  /** Rejects with `AppError`. */
  browse(folder: string): Promise<MediaListing>;
}

/** The cache of encoded segments. */
export interface SegmentCacheAdmin {
  report(): CacheReport;
  delete(key: string): Promise<'deleted' | 'in-use' | 'unknown'>;
}

const tags = ['files'];

const counters = {
  hits: Type.Integer({ description: 'Times that all of it was there' }),
  partialHits: Type.Integer({ description: 'Times that a part of it was there' }),
  misses: Type.Integer(),
  evictions: Type.Integer({ description: 'Times that it, or segments of it, had to make room' }),
  invalidations: Type.Integer({ description: 'Times that it was damaged' }),
  bytesRead: Type.Integer(),
  bytesWritten: Type.Integer(),
};

/** What is in the cache. Counters run since the server started. */
const CacheReply = Type.Unsafe<object>(
  Type.Object({
    budget: Type.Object({
      maxBytes: Type.Integer({ description: 'Of encoded files and live segments together' }),
      usedBytes: Type.Integer(),
      liveBytes: Type.Integer({ description: 'Part of these that is live' }),
    }),
    totals: Type.Object({
      ...counters,
      entries: Type.Integer(),
      completeEntries: Type.Integer(),
      pinnedEntries: Type.Integer({ description: 'In use' }),
      bytes: Type.Integer(),
    }),
    entries: Type.Array(
      Type.Object({
        ...counters,
        key: Type.String(),
        format: Type.Union([Type.Literal('media'), Type.Literal('subtitles')]),
        sourceLabel: Type.String({ description: 'The source without credentials and query' }),
        quality: Type.String({ description: 'Name of the rendition' }),
        audioIndex: Type.Integer({ description: '-1: none' }),
        segments: Type.Integer(),
        segmentCount: Type.Integer(),
        isComplete: Type.Boolean(),
        bytes: Type.Integer(),
        isPinned: Type.Boolean({ description: 'In use' }),
        lastUsedAt: Type.String({ format: 'date-time' }),
        createdAt: Type.String({ format: 'date-time' }),
      }),
    ),
  }),
);

/** Lists folders of media. */
export function mediaRoutes(app: HttpApp, media: MediaFolders): void {
  app.get(
    '/media',
    {
      schema: {
        tags,
        summary: 'What may be played in a folder below the media roots; without a path the roots',
        querystring: Type.Object(
          { path: Type.Optional(Type.String({ maxLength: 4096 })) },
          { additionalProperties: false },
        ),
        response: { 200: MediaReply, 400: ErrorReply, 401: ErrorReply, 403: ErrorReply, 404: ErrorReply },
      },
    },
    ({ query }) => media.browse(query.path ?? ''),
  );
}

/** Shows what is encoded, and deletes it. */
export function cacheRoutes(app: HttpApp, cache: SegmentCacheAdmin): void {
  app.get(
    '/cache',
    { schema: { tags, summary: 'Encoded files, the last used first', response: { 200: CacheReply, 401: ErrorReply } } },
    () => {
      const { entries, ...report } = cache.report();
      return { ...report, entries: entries.map(withDates) };
    },
  );

  app.delete(
    '/cache/:key',
    {
      schema: {
        tags,
        summary: 'Delete one encoded rendition; it is encoded again when somebody plays it',
        params: Type.Object({ key: Type.String() }),
        response: { 204: Type.Null(), 401: ErrorReply, 404: ErrorReply, 409: ErrorReply },
      },
    },
    async (request, reply) => {
      const key = JSON.stringify(request.params.key);
      const outcome = await cache.delete(request.params.key);
      if (outcome === 'deleted') return reply.code(204).send(null);
      if (outcome === 'unknown')
        throw new AppError('NOT_FOUND', `there is no entry ${key}; GET /api/v1/cache lists them`);
      throw new AppError('BUSY', `entry ${key} is in use; stop the sessions that play it first`);
    },
  );
}

function withDates({ lastUsedAtMs, createdAtMs, ...entry }: CacheReport['entries'][number]): object {
  const date = (ms: number): string => new Date(ms).toISOString();
  return { ...entry, lastUsedAt: date(lastUsedAtMs), createdAt: date(createdAtMs) };
}
