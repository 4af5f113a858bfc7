import type { AddressInfo } from 'node:net';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, { type FastifyServerOptions } from 'fastify';
import { AppError, reasonOf } from '../util/errors.ts';
import { archivesRoutes } from './archives-routes.ts';
import { broadcastsRoutes } from './broadcasts-routes.ts';
import { compressAssets } from './compressed-assets.ts';
import type { HttpDeps } from './deps.ts';
import { answerClientError, answerError, describeInvalid, errorReply } from './error-replies.ts';
import { eventsRoutes } from './events-routes.ts';
import { healthRoutes } from './health-routes.ts';
import { cacheRoutes, mediaRoutes } from './files-routes.ts';
import type { HttpApp } from './http-app.ts';
import { HTTP_LIMITS } from './http-limits.ts';
import { metricsRoutes } from './metrics-routes.ts';
import { registerOpenApi } from './openapi.ts';
import { pagesRoutes } from './pages-routes.ts';
import { CORS_HEADERS, PLAYBACK_PREFIXES } from './playback-scope.ts';
import { renditionsRoutes } from './renditions-routes.ts';
import { prefetchRoutes, sourcesRoutes } from './sources-routes.ts';
import { transcodesRoutes } from './transcodes-routes.ts';
import { vodPlaybackRoutes } from './vod-playback-routes.ts';
import { vodRoutes } from './vod-routes.ts';
import { boundServer, type TlsCertificate, tlsOptions } from './transport.ts';

/** How the server is reached. */
export interface HttpServerOptions {
  /** Given for HTTP/2 and HTTP/1.1 over TLS; left out for plain HTTP/1.1. */
  readonly tls?: TlsCertificate;
  /** How long a connection may make no progress; longer than playback may hold an answer back, see `stalledTimeoutMs()`. */
  readonly stalledMs?: number;
}

/** Makes the HTTP server with all its routes; it does not listen yet. */
export async function createHttpServer(
  deps: HttpDeps,
  { tls, stalledMs = HTTP_LIMITS.stalledTimeoutMs }: HttpServerOptions = {},
): Promise<HttpApp> {
  const { logger } = deps;
  const options: FastifyServerOptions = {
    bodyLimit: HTTP_LIMITS.maxBodyBytes,
    requestTimeout: HTTP_LIMITS.requestTimeoutMs,
    keepAliveTimeout: HTTP_LIMITS.keepAliveTimeoutMs,
    connectionTimeout: stalledMs,
    forceCloseConnections: true,
    return503OnClosing: false,
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: false },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false } },
    schemaErrorFormatter: describeInvalid,
    frameworkErrors: (error, request, reply) => {
      // Refused before any route, so the playback routes' own hooks do not run.
      const isPlayback = PLAYBACK_PREFIXES.some((prefix) => request.url.startsWith(`${prefix}/`));
      if (isPlayback) void reply.headers(CORS_HEADERS);
      answerError(error, request, reply, logger);
    },
    clientErrorHandler: answerClientError,
  };
  const app = makeApp(options, { tls, stalledMs });
  const connections = boundServer(app.server);
  // Held answers and event streams would keep the server from closing.
  app.addHook('preClose', (done) => {
    connections.destroyAll();
    done();
  });

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
  await app.register(async (scope) => {
    compressAssets(scope);
    await pagesRoutes(scope.withTypeProvider<TypeBoxTypeProvider>());
  });
  await app.register(async (scope) => deps.playback(scope));
  const { vod } = deps;
  if (vod !== undefined) await app.register((scope) => vodPlaybackRoutes(scope, vod));
  await app.register((scope) => restRoutes(scope.withTypeProvider<TypeBoxTypeProvider>(), deps), { prefix: '/api/v1' });
  await app.ready();
  return app;
}

/** Routes need not know which kind of server they are on: the framework and Node give both the same face. */
function makeApp(
  options: FastifyServerOptions,
  { tls, stalledMs }: { tls: TlsCertificate | undefined; stalledMs: number },
): HttpApp {
  if (tls === undefined) {
    const app = fastify({ ...options, http: { maxHeaderSize: HTTP_LIMITS.maxHeaderBytes } });
    return app.withTypeProvider<TypeBoxTypeProvider>();
  }
  const secure = { ...options, http2: true, https: tlsOptions(tls), http2SessionTimeout: stalledMs } as const;
  return fastify(secure as FastifyServerOptions).withTypeProvider<TypeBoxTypeProvider>();
}

/**
 * Starts to listen; port 0 takes any free one.
 * @throws AppError `UNAVAILABLE` that says what is in the way, e.g. a port that another program has.
 */
export async function listenHttp(
  app: HttpApp,
  { host, port, flag = '--http-port' }: { host: string; port: number; flag?: string },
): Promise<AddressInfo> {
  try {
    await app.listen({ host, port, backlog: HTTP_LIMITS.backlog });
  } catch (error) {
    const advice = `end the program that has the port, or choose another one with ${flag}`;
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
  eventsRoutes(app, deps);
  archivesRoutes(app, deps);
  transcodesRoutes(app, deps);
  const { vod, media, segmentCache, sources, sourceFigures, clock } = deps;
  if (vod !== undefined) vodRoutes(app, { vod, clock });
  if (media !== undefined) mediaRoutes(app, media);
  if (segmentCache !== undefined) cacheRoutes(app, segmentCache);
  if (sources !== undefined) sourcesRoutes(app, sources);
  if (sourceFigures !== undefined) prefetchRoutes(app, sourceFigures);
  return Promise.resolve();
}
