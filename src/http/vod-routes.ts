import { Type } from 'typebox';
import { type Clock, systemClock } from '../util/clock.ts';
import { reasonOf } from '../util/errors.ts';
import type { SessionProgress, SessionRequest, SessionView } from '../vod/session/session-view.ts';
import { clientSignal } from './client-signal.ts';
import { type EventStream, EventStreams } from './event-stream.ts';
import type { HttpApp } from './http-app.ts';
import { ErrorReply } from './schemas.ts';
import { type FilePlayback, HeartbeatBody } from './vod-playback-routes.ts';
import { PositionReply, ProgressReply, SessionBody, SessionReply } from './vod-schemas.ts';

/** Sessions of files as admins see them. Everything throws or rejects with `AppError`. */
export interface FileSessions extends FilePlayback {
  start(request: SessionRequest, signal: AbortSignal): Promise<SessionView>;
  list(): SessionView[];
  view(id: string): SessionView;
  progress(id: string): SessionProgress;
  stop(id: string, options: { force: boolean }): void;
}

const tags = ['files'];

const params = Type.Object({ id: Type.String() });

const missing = { 401: ErrorReply, 404: ErrorReply, 410: ErrorReply };

/** How often a client that follows progress is told of changes at most. */
const PROGRESS_MS = 500;

/** Starts, lists and stops sessions of files, and tells how far they are encoded. */
export function vodRoutes(
  app: HttpApp,
  { vod, clock = systemClock }: { vod: FileSessions; clock?: Clock | undefined },
): void {
  const streams = new EventStreams({ clock });

  app.get(
    '/vod',
    {
      schema: { tags, summary: 'Sessions of files, the last used first', response: { 200: Type.Array(SessionReply) } },
    },
    () => vod.list(),
  );

  app.post(
    '/vod',
    {
      schema: {
        tags,
        summary: 'Play a file: starts a session, or goes on with that of the same user, source and tracks',
        description: 'Playable at once and of full length: segments are encoded when players ask for them.',
        body: SessionBody,
        response: {
          ...{ 200: SessionReply, 400: ErrorReply, 401: ErrorReply, 403: ErrorReply, 404: ErrorReply },
          ...{ 429: ErrorReply, 503: ErrorReply },
        },
      },
    },
    ({ body }, reply) => vod.start(body, clientSignal(reply)),
  );

  app.get(
    '/vod/:id',
    { schema: { tags, summary: 'One session', params, response: { 200: SessionReply, ...missing } } },
    (request) => vod.view(request.params.id),
  );

  app.delete(
    '/vod/:id',
    {
      schema: {
        tags,
        summary: 'End a session for good; what is encoded stays',
        description:
          'Ignored with 409 within five seconds of a request, unless forced: another page may have taken over.',
        params,
        querystring: Type.Object(
          { force: Type.Optional(Type.Union([Type.Literal('true'), Type.Literal('false')])) },
          { additionalProperties: false },
        ),
        response: { 204: Type.Null(), ...missing, 409: ErrorReply },
      },
    },
    (request, reply) => {
      vod.stop(request.params.id, { force: request.query.force === 'true' });
      void reply.code(204);
      return null;
    },
  );

  app.post(
    '/vod/:id/heartbeat',
    {
      schema: {
        tags,
        summary: 'Keep a session active; any request of a player does, too',
        params,
        body: HeartbeatBody,
        response: { 200: PositionReply, ...missing, 429: ErrorReply },
      },
    },
    ({ params: { id }, body }, reply) => vod.heartbeat(id, body?.positionMs, clientSignal(reply)),
  );

  app.get(
    '/vod/:id/progress',
    {
      schema: {
        tags,
        summary: 'How far a session is encoded; with Accept: text/event-stream as it changes',
        description: 'Events `progress`, and `end` when the session has ended; `data` is JSON.',
        params,
        produces: ['application/json', 'text/event-stream'],
        response: { 200: ProgressReply, ...missing, 429: ErrorReply },
      },
    },
    (request, reply) => {
      const { id } = request.params;
      const progress = vod.progress(id);
      if (request.headers.accept?.includes('text/event-stream') !== true) return progress;
      return streams.open(reply, (stream) => follow(stream, () => vod.progress(id), clock)) as never;
    },
  );
}

/** Tells progress now and whenever it is another; ends with the session. Returns what ends it sooner. */
function follow(stream: EventStream, progress: () => SessionProgress, clock: Clock): () => void {
  let told: string | undefined;
  let stop = (): void => undefined;
  const look = (): void => {
    try {
      const now = progress();
      const text = JSON.stringify(now);
      if (text !== told) stream.send('progress', now);
      told = text;
    } catch (error) {
      stop();
      stream.send('end', { reason: reasonOf(error) });
      stream.end();
    }
  };
  stop = clock.every(PROGRESS_MS, look);
  look();
  return stop;
}
