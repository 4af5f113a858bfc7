import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errorReply } from './error-replies.ts';

/** What differs between kinds of playback. */
interface PlaybackScope {
  /** First part of all paths, e.g. `/hls`. */
  readonly prefix: string;
  /** Methods that pages may use, as `Access-Control-Allow-Methods` lists them. */
  readonly methods: string;
  /** Path that whoever asks for something else is pointed to. */
  readonly entry: string;
}

/** Any page may play; nothing here depends on cookies. On every answer to playback. */
export const CORS_HEADERS = Object.freeze({
  'access-control-allow-origin': '*',
  'access-control-expose-headers':
    'Content-Length, Content-Range, Content-Encoding, Accept-Ranges, ETag, Date, Age, Retry-After',
});

/** Where playback is: what is refused before any route has its headers too. */
export const PLAYBACK_PREFIXES: readonly string[] = Object.freeze(['/hls', '/vod', '/relay']);

const PREFLIGHT_HEADERS = Object.freeze({
  'access-control-allow-headers': 'Range, If-Range, If-None-Match, Authorization, Content-Type',
  'access-control-max-age': '86400',
});

/** Seconds after which a client that was told 503 may ask again. */
const RETRY_AFTER = '1';

/** Registers playback routes: every answer carries CORS headers, failures included; no failure is cached. */
export async function playbackScope(
  app: FastifyInstance,
  { prefix, methods, entry }: PlaybackScope,
  routes: (scope: FastifyInstance) => void,
): Promise<void> {
  await app.register(
    (scope, _, done) => {
      scope.addHook('onRequest', (_request, reply, next) => {
        void reply.headers(CORS_HEADERS);
        next();
      });
      scope.addHook('onSend', (_request, reply, _payload, next) => {
        if (reply.statusCode >= 400) void reply.header('cache-control', 'no-store').removeHeader('etag');
        if (reply.statusCode === 503) void reply.header('retry-after', RETRY_AFTER);
        next();
      });
      routes(scope);
      const preflight = { ...PREFLIGHT_HEADERS, 'access-control-allow-methods': methods };
      scope.options('/*', (_request, reply) => reply.code(204).headers(preflight).send());
      scope.setNotFoundHandler((request: FastifyRequest, reply: FastifyReply) => {
        const path = JSON.stringify(request.url.split('?')[0]?.slice(0, 100));
        const message = `there is no ${request.method} ${path}; see ${entry}`;
        return reply.code(404).send(errorReply(404, 'NOT_FOUND', message));
      });
      done();
    },
    { prefix },
  );
}
