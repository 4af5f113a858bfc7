import type { AddressInfo } from 'node:net';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify from 'fastify';
import { AppError, reasonOf } from '../util/errors.ts';
import { broadcastsRoutes } from './broadcasts-routes.ts';
import type { HttpDeps } from './deps.ts';
import { answerClientError, answerError, describeInvalid, errorReply } from './error-replies.ts';
import { healthRoutes } from './health-routes.ts';
import { CORS_HEADERS } from './hls-routes.ts';
import type { HttpApp } from './http-app.ts';
import { metricsRoutes } from './metrics-routes.ts';
import { registerOpenApi } from './openapi.ts';
import { pagesRoutes } from './pages-routes.ts';
import { renditionsRoutes } from './renditions-routes.ts';
import { transcodesRoutes } from './transcodes-routes.ts';

/** What one client, or all together, may take of the server. */
export const HTTP_LIMITS = Object.freeze({
  maxBodyBytes: 64 * 1024,
  /** The head of a request must have arrived by then, ... */
  headersTimeoutMs: 10_000,
  /** ... and all of it by then. */
  requestTimeoutMs: 15_000,
  /** An idle connection is kept longer than proxies keep theirs (60 s), so that they never meet a closing one. */
  keepAliveTimeoutMs: 72_000,
  /** A connection on which an answer makes no progress is cut; blocked playlists answer well before. */
  stalledTimeoutMs: 30_000,
  maxConnections: 20_000,
  /** Viewers of a popular stream all come at once. */
  backlog: 4_096,
});

/** Makes the HTTP server with all its routes; it does not listen yet. */
export async function createHttpServer(deps: HttpDeps): Promise<HttpApp> {
  const { logger } = deps;
  const app = fastify({
    bodyLimit: HTTP_LIMITS.maxBodyBytes,
    requestTimeout: HTTP_LIMITS.requestTimeoutMs,
    keepAliveTimeout: HTTP_LIMITS.keepAliveTimeoutMs,
    connectionTimeout: HTTP_LIMITS.stalledTimeoutMs,
    forceCloseConnections: true,
    return503OnClosing: false,
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: false },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false } },
    schemaErrorFormatter: describeInvalid,
    frameworkErrors: (error, request, reply) => {
      // Refused before any route, so the playback routes' own hooks do not run.
      if (request.url.startsWith('/hls/')) void reply.headers(CORS_HEADERS);
      answerError(error, request, reply, logger);
    },
    clientErrorHandler: answerClientError,
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.server.headersTimeout = HTTP_LIMITS.headersTimeoutMs;
  app.server.maxConnections = HTTP_LIMITS.maxConnections;

  // The compiled serialiser would write a schema's defaults into answers as if somebody had set them.
  app.setSerializerCompiler(() => JSON.stringify);
  app.setErrorHandler<AppError>((error, request, reply) => answerError(error, request, reply, logger));
  app.setNotFoundHandler((request, reply) => {
    const url = JSON.stringify(request.url.split('?')[0]?.slice(0, 200));
    void reply.code(404).header('cache-control', 'no-store');
    return reply.send(errorReply(404, 'NOT_FOUND', `there is no ${request.method} ${url}`));
  });

  await registerOpenApi(app);
  healthRoutes(app, deps);
  metricsRoutes(app, deps);
  await pagesRoutes(app);
  await app.register(async (scope) => deps.playback(scope));
  await app.register((scope) => restRoutes(scope.withTypeProvider<TypeBoxTypeProvider>(), deps), { prefix: '/api/v1' });
  await app.ready();
  return app;
}

/**
 * Starts to listen; port 0 takes any free one.
 * @throws AppError `UNAVAILABLE` that says what is in the way, e.g. a port that another program has.
 */
export async function listenHttp(app: HttpApp, { host, port }: { host: string; port: number }): Promise<AddressInfo> {
  try {
    await app.listen({ host, port, backlog: HTTP_LIMITS.backlog });
  } catch (error) {
    const advice = 'end the program that has the port, or choose another one with --http-port';
    throw new AppError('UNAVAILABLE', `HTTP cannot listen on ${host}:${port}: ${reasonOf(error)}; ${advice}`, {
      cause: error,
    });
  }
  return app.server.address() as AddressInfo;
}

/** All of it is for admins. */
function restRoutes(app: HttpApp, deps: HttpDeps): Promise<void> {
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('cache-control', 'no-store');
    deps.adminToken.authorize(request.headers.authorization);
  });
  renditionsRoutes(app, deps.ladders);
  broadcastsRoutes(app, deps);
  transcodesRoutes(app, deps);
  return Promise.resolve();
}
