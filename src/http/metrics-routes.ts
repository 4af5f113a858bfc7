import type { HttpDeps } from './deps.ts';
import type { HttpApp } from './http-app.ts';

type MetricsDeps = Pick<HttpDeps, 'metrics' | 'adminToken' | 'publicMetrics'>;

/** Serves the figures to Prometheus, for the admin token unless they are public. */
export function metricsRoutes(app: HttpApp, { metrics, adminToken, publicMetrics }: MetricsDeps): void {
  app.get('/metrics', { schema: { hide: true } }, async (request, reply) => {
    if (!publicMetrics) adminToken.authorize(request.headers.authorization);
    const { contentType, text } = await metrics.render();
    return reply.header('cache-control', 'no-store').type(contentType).send(text);
  });
}
