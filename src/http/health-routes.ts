import { AppError } from '../util/errors.ts';
import type { HttpDeps } from './deps.ts';
import type { HttpApp } from './http-app.ts';

/** Tells watchdogs whether the process answers, and balancers whether it takes streams. */
export function healthRoutes(app: HttpApp, { unreadyReason }: Pick<HttpDeps, 'unreadyReason'>): void {
  const options = { schema: { hide: true } };

  app.get('/healthz', options, (_request, reply) => reply.header('cache-control', 'no-store').send({ status: 'ok' }));

  app.get('/readyz', options, (_request, reply) => {
    const reason = unreadyReason();
    if (reason !== undefined) throw new AppError('UNAVAILABLE', `not ready: ${reason}`);
    return reply.header('cache-control', 'no-store').send({ status: 'ready' });
  });
}
